"""Audit of fitted states: steps are fitted and applied again to kept training sets, and every number compared."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from featurestore.definitions.vector import shown_names
from featurestore.errors import DefinitionError
from featurestore.operations.audit.causes import Cause
from featurestore.operations.audit.record import Compared, Difference
from featurestore.operations.training_set.fit import (
    fitted_rows,
    fitted_training_set,
    is_fitting_set,
    train_mask,
)
from featurestore.operations.training_set.training_set import training_manifest
from featurestore.preprocessing.embedding import Embedded
from featurestore.report.formatting import short
from featurestore.splits.declare import SPLIT, TRAIN
from featurestore.storage.files import scan_required
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import EPOCH
from featurestore.values.bits import bits
from featurestore.values.wording import PERSONAL, counted

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.preprocessing.state import FittedState, FittedStep
    from featurestore.workspace import Workspace

PATH: Final = "fitted state"
_STATE: Final = "(state)"
_ROWS: Final = "(all rows)"
MAX_TEXT: Final = 200
ABSENT: Final = "(absent)"


def audit_fitted(workspace: Workspace, training: TrainingSet) -> tuple[Compared, list[Difference]]:
    """Fit and apply the steps of a service to the kept rows of a training set, and compare with what is served and kept.

    - What each step learned, and the certificate: the rows that were fitted to are these rows.
    - The tables that steps were fitted to beside them.
    - No row that was fitted to is in another split.
    - The vector of each kept row.

    Raises
    ------
    MissingDataError
        If the training set is not built, or its state is missing.
    SkewError
        If the state is of another definition of the service, or was edited.
    """
    path = workspace.layout.training(training.name)
    rows = scan_required(path, made_by=f"featurestore training-set {training.name}").collect()
    served = workspace.fitted(training.service).fitted
    again = fitted_rows(workspace, training, rows)
    if served is None or again is None:
        raise DefinitionError(
            f"the service of training set {training.name!r} has no steps",
            hint="declare steps, or do not audit them",
        )
    joined = training.service.joined
    personal = joined.personal.union(
        *(replace(joined, fitted=state).personal for state in (served, again.state))
    )
    names = shown_names(joined.features, served.steps, again.state.steps)
    differences = [
        _difference(training, _STATE, name, before, after)
        for name, before, after in (
            *_certificate(served, again.state),
            *_tables(served, again.state, names),
            *_columns(served, again.state, personal, names),
        )
        if before != after
    ]
    manifest = training_manifest(workspace, training.name)
    applied = "" if manifest is None else f"{manifest.fitted}"
    if applied != served.digest and not differences:
        differences.append(_difference(training, _STATE, "digest", applied, served.digest))
    if is_fitting_set(workspace.catalog, training) and (count := _in_two_splits(training, rows)):
        differences.append(
            _difference(
                training, _STATE, SPLIT, "rows in one split", f"{counted(count, 'row')} of train in two"
            )
        )
    kept = fitted_training_set(workspace, training.name)
    differences += list(_vectors(training, kept, again.rows, personal, names))
    compared = Compared(
        name=training.name,
        as_of=rows.select(pl.col(EVENT_TIMESTAMP).max()).item() or EPOCH,
        rows=rows.height,
        cells=rows.height * len(served.features),
        mismatches=len(differences),
        path=PATH,
    )
    return compared, differences


def _certificate(served: FittedState, now: FittedState) -> Iterator[tuple[str, str, str]]:
    for name in ("rows", "digest", "split", "training_set"):
        before, after = (f"{getattr(state.certificate, name)}" for state in (served, now))
        yield f"certificate: {name}", before, after


def _columns(
    served: FittedState, now: FittedState, personal: Container[str], names: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    for before, after in zip(served.steps, now.steps, strict=True):
        for column in dict.fromkeys((*before.columns, *after.columns)):
            place = f"{names.get(column, column)}, {after.step}"
            different = _first_difference(place, *(_learned(step, column) for step in (before, after)))
            if column not in personal and names.get(column, column) == column:
                yield from different
            elif any(different):
                # The place names what was learned as well, such as a category.
                yield place, PERSONAL, f"{PERSONAL}, another value"
        blocks = (
            [(block.name, _named(block.columns, names)) for block in step.blocks] for step in (before, after)
        )
        yield from _first_difference(f"blocks, {after.step}", *blocks)
    vectors = ([*zip(_named(s.features, names), s.features.values(), strict=True)] for s in (served, now))
    yield from _first_difference("order of the columns", *vectors)


def _named(columns: Iterable[str], names: Mapping[str, str]) -> list[str]:
    return [names.get(column, column) for column in columns]


def _tables(
    served: FittedState, now: FittedState, names: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Compare the digests of the tables that the steps were fitted to, beside the rows of train."""
    digests = [
        {
            f"{names.get(column, column)}, table {state.table}": state.digest
            for step in fitted.steps
            for column, state in step.columns.items()
            if isinstance(state, Embedded)
        }
        for fitted in (served, now)
    ]
    for name in dict.fromkeys((*digests[0], *digests[1])):
        before, after = (digest.get(name, "not read") for digest in digests)
        yield name, before, after


def _learned(step: FittedStep, column: str) -> object:
    """Return what a step learned of a column; `_tables` compares the digests of tables."""
    state = step.columns.get(column, ABSENT)
    return msgspec.structs.replace(state, digest="") if isinstance(state, Embedded) else state


def _first_difference(name: str, before: object, after: object) -> Iterator[tuple[str, str, str]]:
    """Yield the first value that differs, with its place and how many others differ; nothing if both are equal."""
    if msgspec.json.encode(before) == msgspec.json.encode(after):
        return
    different = list(_different_values(msgspec.to_builtins(before), msgspec.to_builtins(after)))
    for place, *texts in different[:1]:
        others = f" and {counted(len(different) - 1, 'other value')}" if len(different) > 1 else ""
        yield f"{name}: {place}{others}", texts[0], texts[1]


def _different_values(before: Any, after: Any, place: str = "") -> Iterator[tuple[str, str, str]]:
    """Compare plain data value by value; yields the place of each that differs, such as ``vectors[0][2]``, and both."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            inside = f"{place}.{name}" if place else name
            yield from _different_values(before.get(name, ABSENT), after.get(name, ABSENT), inside)
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        for number, values in enumerate(zip_longest(before, after, fillvalue=ABSENT)):
            yield from _different_values(*values, f"{place}[{number:,}]")
    elif repr(before) != repr(after):  # -0.0 is another number than 0.0, and NaN is NaN
        yield place or "all values", f"{before}", f"{after}"


def _vectors(
    training: TrainingSet,
    kept: pl.DataFrame,
    now: pl.DataFrame,
    personal: frozenset[str],
    names: Mapping[str, str],
) -> Iterator[Difference]:
    """Compare the kept vectors: the number of rows, the columns, and the first cell of each column that differs."""
    if kept.schema != now.schema or kept.height != now.height:
        # The kept vectors may be of another fit, whose categories neither state has.
        unknown = {name: PERSONAL if personal else name for name in kept.columns if name not in now.columns}
        known = {**unknown, **names}
        sizes = [
            f"{counted(frame.height, 'row')} of {', '.join(_named(frame.columns, known))}"
            for frame in (kept, now)
        ]
        yield _difference(training, _ROWS, "rows and columns", *sizes)
        return
    for name in now.columns:
        differs = bits(kept[name]).ne_missing(bits(now[name]))
        for row in differs.arg_true().head(1):
            texts = [PERSONAL if name in personal else f"{frame[name][row]!r}" for frame in (kept, now)]
            yield _difference(training, f"row {row:,}", names.get(name, name), *texts)


def _in_two_splits(training: TrainingSet, rows: pl.DataFrame) -> int:
    """Count the rows of train that are also in another split, with the same values."""
    if SPLIT not in rows.columns:
        return 0
    columns = [column.name for column in training.entity_rows.columns if column.name in rows.columns]
    others = rows.filter(pl.col(SPLIT) != TRAIN)
    return rows.filter(train_mask(rows)).join(others, on=columns, how="semi", nulls_equal=True).height


def _difference(training: TrainingSet, key: str, feature: str, before: str, after: str) -> Difference:
    return Difference(
        view=training.name,
        key=key,
        feature=feature,
        offline=short(after, MAX_TEXT),
        online=short(before, MAX_TEXT),
        path=PATH,
        cause=Cause.OTHER_DATA,
    )
