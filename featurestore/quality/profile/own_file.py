"""The draft for a file of one's own: the gate lets the file pass, always."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.definitions.contract import contract_of
from featurestore.errors import ContractError, DefinitionError
from featurestore.quality.gate.inspection import inspect
from featurestore.quality.gate.partition import SOURCE_FILE, SOURCE_ROW
from featurestore.quality.profile.doubts import doubts_of
from featurestore.quality.profile.keys import MIN_ROWS, key_of
from featurestore.quality.profile.late_column import late_column
from featurestore.quality.profile.profile import profile
from featurestore.quality.profile.schema_draft import draft_schema
from featurestore.quality.profile.suggest import source_of
from featurestore.quality.profile.text_columns import NULL_WORDS, Reading, read_columns
from featurestore.storage.csv_files import INCOMPLETE
from featurestore.values.text_casts import text_cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from featurestore.definitions.contract import Contract
    from featurestore.quality.gate.verdict import RuleCount, Verdict
    from featurestore.quality.profile.schema_draft import FieldDraft, SchemaDraft

_NO_SCHEMA: Final = (pl.Object, pl.Unknown, pl.BaseExtension)
_OF_THE_READER: Final = (SOURCE_FILE, SOURCE_ROW, INCOMPLETE)


@dataclass(frozen=True)
class OwnFileDraft:
    """The draft of a schema for raw rows.

    Attributes
    ----------
    draft
        The draft; its checks are those that all rows pass.
    readings
        How each column of text is read.
    verdict
        The verdict of the gate on the rows, under the draft.
    doubts
        For each column whose values may mean something else, the questions about them.
    """

    draft: SchemaDraft
    readings: dict[str, Reading]
    verdict: Verdict
    doubts: dict[str, tuple[str, ...]]

    @property
    def source(self) -> str:
        """The draft as the source of a Python module."""
        return source_of(self.draft)


def draft_for(rows: pl.DataFrame, *, dataset: str, name: str, typed: bool) -> OwnFileDraft:
    """Draft the schema of raw rows as the reader returns them, and prove that they pass it.

    A check that some rows break is left out. Rows that no schema can admit, such as those with too few fields, go to
    quarantine.

    Parameters
    ----------
    rows
        All raw rows; CSV values are text, and words for a missing value are null already.
    dataset
        The name of the source.
    name
        The name of the schema class.
    typed
        Whether the file has dtypes of its own, as Parquet does: its text stays text.

    Raises
    ------
    ContractError
        If there are no rows, or the gate can admit none of them.
    DefinitionError
        If a column has a dtype or a name that no schema can have.
    """
    values = rows.select(pl.exclude(*_OF_THE_READER))
    if rows.is_empty() or not values.width:
        raise ContractError(f"{dataset}: the file has no rows", hint="add a file with at least one row")
    if patterns := [column for column in values.columns if column == "*" or column[:1] + column[-1:] == "^$"]:
        raise ContractError(
            f"{dataset}: Polars reads the column name {patterns[0]!r} as a pattern", hint="rename the column"
        )
    if unknown := [n for n, dtype in values.schema.items() if isinstance(dtype, _NO_SCHEMA)]:
        raise DefinitionError(
            f"{dataset}: column {unknown[0]!r} is {values.schema[unknown[0]]}, which no schema can declare",
            hint="write the file with a plain dtype",
        )
    readings = {} if typed else read_columns(values.select(pl.selectors.string()))
    parsed = values.with_columns(_parsed(column, reading) for column, reading in readings.items())
    parsed = parsed.with_columns(pl.selectors.by_dtype(pl.Null).cast(pl.String))
    draft = draft_schema(profile(parsed, dataset=dataset), parsed.schema, name=name)
    fields = tuple(_documented(field, readings.get(field.column)) for field in draft.fields)
    draft = replace(
        draft,
        fields=fields,
        key=() if draft.unique else key_of(parsed),
        min_rows=draft.min_rows if rows.height >= MIN_ROWS else None,
        null_shares=draft.null_shares if rows.height >= MIN_ROWS else {},
    )
    draft, verdict = _that_passes(draft, rows, dataset)
    timestamps = [f.column for f in draft.fields if f.dtype == parsed.schema[f.column]]
    draft = replace(draft, late=late_column(parsed, timestamps))
    doubts = {name: tuple(doubts_of(parsed[name], NULL_WORDS)) for name in parsed.columns}
    return OwnFileDraft(draft, readings, verdict, {name: of for name, of in doubts.items() if of})


def _that_passes(draft: SchemaDraft, rows: pl.DataFrame, dataset: str) -> tuple[SchemaDraft, Verdict]:
    # Each round relaxes what some rows break; a column can be relaxed a few times only.
    for _ in range(4 * len(draft.fields) + 4):
        verdict = inspect(rows, contract_from(source_of(draft), draft.name), dataset=dataset).verdict
        relaxed = draft
        for count in verdict.rules:
            relaxed = relaxed if count.warning else _relaxed(relaxed, count)
        if relaxed == draft:
            if verdict.decision != "refused":
                return draft, verdict
            relaxed = replace(draft, tolerance=_share(verdict))
        if relaxed == draft:
            break
        draft = relaxed
    raise ContractError(
        f"{dataset}: the gate can admit no row: {verdict.explain()}", hint="repair the file", verdict=verdict
    )


def _share(verdict: Verdict) -> float:
    """Return the share of bad rows, rounded up to a percent."""
    return min(1.0, (100 * verdict.rows_quarantined // max(1, verdict.rows_in) + 1) / 100)


def _relaxed(draft: SchemaDraft, broken: RuleCount) -> SchemaDraft:
    """Leave out what a rule says."""
    kind, columns = broken.rule.kind, broken.rule.columns
    if kind == "rows":
        return replace(draft, min_rows=None)
    if kind == "null_share":
        return replace(draft, null_shares={c: s for c, s in draft.null_shares.items() if c not in columns})
    if kind == "unique" and columns == draft.key:
        return replace(draft, key=())
    changes: dict[str, Callable[[FieldDraft], FieldDraft]] = {
        "dtype": lambda field: replace(field, dtype=pl.String(), checks=(), metadata={}),
        "not_null": lambda field: replace(field, null_share=field.null_share or 1 / draft.rows),
        # No schema admits infinity or half a row: such rows go to quarantine.
        "finite": lambda field: field,
    }
    change = changes.get(kind, _without_checks)
    return replace(
        draft, fields=tuple(change(field) if field.column in columns else field for field in draft.fields)
    )


def _without_checks(field: FieldDraft) -> FieldDraft:
    return replace(field, checks=())


def _documented(field: FieldDraft, reading: Reading | None) -> FieldDraft:
    metadata = dict(field.metadata)
    if "unit" in metadata:
        metadata["unit"] = "?"
    if reading is not None and reading.text_format is not None:
        metadata["format"] = reading.text_format
    if field.dtype.is_float() and reading is None:
        # Programs write NaN into Parquet files where a value is missing.
        metadata["nan"] = "null"
    words = " ".join(field.column.replace("_", " ").replace(".", " ").split())
    return replace(field, metadata=metadata, description=words or f"column {field.attribute}")


def _parsed(column: str, reading: Reading) -> pl.Expr:
    cast = text_cast(pl.col(column), reading.dtype, reading.text_format)
    return pl.col(column) if cast is None else cast[0]


def contract_from(source: str, name: str) -> Contract:
    """Load the contract of a draft, as the project will load it."""
    with TemporaryDirectory(prefix="featurestore-") as folder:
        path = Path(folder) / "drafted_schema.py"
        path.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise ContractError(f"{path}: cannot be loaded", hint="check the folder for temporary files")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return contract_of(vars(module)[name])


def with_null_words(rows: pl.DataFrame, words: tuple[str, ...]) -> pl.DataFrame:
    """Return raw rows in which words that stand for a missing value are null, as the reader returns them."""
    texts = pl.selectors.string() & pl.selectors.exclude(*_OF_THE_READER)
    return rows.with_columns(pl.when(~texts.is_in(words)).then(texts)) if words else rows


def texts_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of text that come from the file."""
    return rows.select(pl.selectors.string() & pl.selectors.exclude(*_OF_THE_READER))
