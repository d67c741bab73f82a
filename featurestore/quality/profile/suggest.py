"""Suggest a schema: a Python file, drafted from a profile, that a person edits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.quality.profile.schema_draft import WARNINGS, draft_schema
from featurestore.values.escapes import one_line, quoted
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.quality.profile.profile import Profile
    from featurestore.quality.profile.schema_draft import CheckDraft, FieldDraft, SchemaDraft

MAX_LINE_LENGTH = 60


def suggest(profile: Profile, schema: pl.Schema, *, name: str) -> str:
    """Return the draft of a schema as the source of a Python module.

    Parameters
    ----------
    schema
        The dtypes of the profiled columns.
    name
        The name of the class.
    """
    return source_of(draft_schema(profile, schema, name=name))


def source_of(draft: SchemaDraft) -> str:
    """Return a draft as the source of a Python module."""
    return "\n".join(_module(draft)) + "\n"


def _module(draft: SchemaDraft) -> Iterator[str]:
    annotations = {field.attribute: annotation(field.dtype) for field in draft.fields}
    values = [check.value for field in draft.fields for check in field.checks]
    yield (
        f'"""Draft from {counted(draft.rows, "row")} of {draft.dataset}: '
        'describe the rows and the columns, and keep the checks that are meant."""'
    )
    yield ""
    durations = any(hasattr(value, "total_seconds") for value in values)
    parametrized = any(_parameters(field.dtype) for field in draft.fields)
    if durations:
        yield "from datetime import timedelta"
    if parametrized:
        yield "from typing import Annotated"
    if durations or parametrized:
        yield ""
    yield from ("import pandera.polars as pa", "import polars as pl", "", "")
    yield f"class {draft.name}(pa.DataFrameModel):"
    yield f'    """Rows of {draft.dataset}."""'
    yield ""
    for field in draft.fields:
        yield from _field(field, annotations[field.attribute])
    yield ""
    yield from _config(draft)


def _field(field: FieldDraft, annotation: str) -> Iterator[str]:
    yield f"    {field.attribute}: {annotation} = pa.Field("
    if field.null_share:
        yield f"        nullable=True,  # {field.null_share:.2%} missing"
    for check in field.checks:
        yield from _check(check)
    if any(check.argument in WARNINGS for check in field.checks):
        yield "        raise_warning=True,  # another value is counted, and passes"
    if field.attribute != field.column:
        yield f"        alias={literal(field.column)},"
    yield f"        description={literal(field.description)},"
    if field.metadata:
        items = ", ".join(f"{literal(key)}: {literal(value)}" for key, value in field.metadata.items())
        yield f"        metadata={{{items}}},"
    yield "    )"


def _check(check: CheckDraft) -> Iterator[str]:
    note = f"sure to {min(check.sureness, 0.9999):.2%}"
    text = f"{check.argument}={literal(check.value)}"
    if isinstance(check.value, list) and len(text) > MAX_LINE_LENGTH:
        yield f"        {check.argument}=[  # {note}"
        yield from (f"            {literal(item)}," for item in check.value)
        yield "        ],"
    else:
        yield f"        {text},  # {note}"


def _config(draft: SchemaDraft) -> Iterator[str]:
    low = draft.min_rows
    yield "    class Config:"
    yield '        """Rules for the dataset as a whole."""'
    yield ""
    yield "        strict = True"
    if draft.unique:
        yield f"        # {one_line(draft.unique[0])} identifies a row"
    if draft.key:
        yield f"        unique = {literal(list(draft.key))}  # together"
    yield "        metadata = {"
    yield '            "on_invalid": "quarantine",'
    yield f'            "tolerance": {draft.tolerance!r},'
    if draft.late is not None:
        late = draft.late
        order = f"{one_line(late.column)} is after {one_line(late.event)}"
        yield f"            # {order} in {late.later:,} of {counted(late.rows, 'row')}: is a row known only then?"
        yield f'            # "known": {literal(late.known)},'
    yield '            "expect": {'
    if low is not None:
        yield f'                "rows": ({low}, None),  # at least half of what was seen'
    if draft.null_shares:
        yield '                "null_share": {'
        for column, (expected, seen) in draft.null_shares.items():
            yield f"                    {literal(column)}: {expected:g},  # seen: {seen:.2%}"
        yield "                },"
    yield "            },"
    yield "        }"


def annotation(dtype: pl.DataType) -> str:
    """Return the annotation of a field, as source."""
    parameters = _parameters(dtype)
    name = f"pl.{type(dtype).__name__}"
    return f"Annotated[{', '.join([name, *parameters])}]" if parameters else name


def _expression(dtype: Any) -> str:
    name = f"pl.{type(dtype).__name__}"
    parameters = _parameters(dtype)
    return f"{name}({', '.join(parameters)})" if parameters else name


def _parameters(dtype: Any) -> list[str]:
    """Return the arguments that make a dtype, as source."""
    parameters: list[str] = []
    match dtype:
        case pl.Datetime():
            parameters = [literal(dtype.time_unit), literal(dtype.time_zone)]
        case pl.Duration():
            parameters = [literal(dtype.time_unit)]
        case pl.Decimal():
            parameters = [literal(dtype.precision), literal(dtype.scale)]
        case pl.Enum():
            parameters = [literal(dtype.categories.to_list())]
        case pl.List():
            parameters = [_expression(dtype.inner)]
        case pl.Array():
            parameters = [_expression(dtype.inner), literal(dtype.shape[0])]
        case pl.Struct():
            fields = (f"{literal(field.name)}: {_expression(field.dtype)}" for field in dtype.fields)
            parameters = [f"{{{', '.join(fields)}}}"]
    return parameters


def literal(value: Any) -> str:
    """Return a value as source."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))})"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if hasattr(value, "total_seconds"):
        return f"timedelta(microseconds={round(value.total_seconds() * 1_000_000)})"
    return f"{value:g}" if isinstance(value, float) else repr(value)
