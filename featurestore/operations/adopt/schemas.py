"""The schemas that `adopt` writes, as text."""

from __future__ import annotations

import keyword
import math
from typing import TYPE_CHECKING, Final

from featurestore.operations.adopt.columns import declared_dtype
from featurestore.operations.adopt.text import mapping, one_line, prose, wrapped
from featurestore.quality.profile.suggest import annotation, literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl

    from featurestore.adapters.feast.inventory import FeastField
    from featurestore.operations.adopt.plan import AdoptedView, AdoptPlan

# Feast knows no units, and a float has one here.
UNKNOWN_UNIT: Final = "unknown"
# Names that the body of a schema uses.
_TAKEN: Final = frozenset({"pa", "pl", "Annotated", "Config"})
_IMPORTS: Final = (
    "from typing import Annotated",
    "",
    "import pandera.polars as pa",
    "import polars as pl",
    "",
)


def source_schemas(plan: AdoptPlan) -> Iterator[str]:
    """Write a schema for each file: the columns that views read."""
    yield f'"""What the files of {prose(plan.inventory.project)[:-1]} look like: the columns that views read."""'
    yield ""
    yield from _IMPORTS
    for source in plan.sources.values():
        yield from _class(source.schema, source.feast.description or f"Rows of {source.feast.name}")
        for number, (name, (dtype, has_nan)) in enumerate(sorted(source.columns.items())):
            nullable = name not in source.required
            yield from _field(name, dtype, f"{name} in the file", number, nullable=nullable, has_nan=has_nan)
        yield from _policy(source.missing_share)


def view_schemas(plan: AdoptPlan) -> Iterator[str]:
    """Write a schema for each view, and those of the on-demand views."""
    yield '"""What the feature views hold."""'
    yield ""
    yield from _IMPORTS
    for view in plan.views.values():
        yield from _class(view.schema, view.feast.description or f"Features of {view.feast.name}")
        yield from _view_fields(plan, view)
        yield from _policy(view.conflicting_share)
    for computed in plan.on_demand.values():
        yield from _class(f"{computed.schema}Request", f"Request values of {computed.feast.name}")
        yield from _declared(computed.feast.request)
        yield from _class(computed.schema, f"Features of {computed.feast.name}")
        yield from _declared(computed.feast.features)


def _class(name: str, description: str) -> Iterator[str]:
    yield from ("", f"class {name}(pa.DataFrameModel):", f'    """{prose(description)}"""', "")


def _view_fields(plan: AdoptPlan, view: AdoptedView) -> Iterator[str]:
    declared = {item.name: item for item in view.feast.features}
    entities = {entity.key: entity.description for entity in plan.inventory.entities}
    columns = [(key, entities.get(key.name, "")) for key in view.keys]
    columns.append((view.event, "time of the event"))
    if view.created is not None:
        columns.append((view.created, "time at which the row was written"))
    columns += [(f, declared[f.name].description if f.name in declared else "") for f in view.features]
    for number, (column, description) in enumerate(columns):
        yield from _field(
            column.name,
            column.dtype,
            description,
            number,
            nullable=column not in (*view.keys, view.event),
            unit=declared[column.name].tags.get("unit", "") if column.name in declared else "",
            has_nan=column.has_nan,
        )


def _declared(fields: Iterable[FeastField]) -> Iterator[str]:
    for number, item in enumerate(fields):
        unit = item.tags.get("unit", "")
        yield from _field(item.name, declared_dtype(item.value_type), item.description, number, unit=unit)
    yield ""


def _field(
    name: str,
    dtype: pl.DataType,
    description: str,
    number: int,
    *,
    nullable: bool = True,
    unit: str = "",
    has_nan: bool = False,
) -> Iterator[str]:
    attribute = name
    words = ["nullable=True"] if nullable else []
    if not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name) or name in _TAKEN:
        attribute = f"column_{number}"
        words.append(f"alias={literal(name)}")
    words.append(f"description={literal(one_line(description) or name)}")
    metadata = {"unit": unit or UNKNOWN_UNIT} if unit or dtype.is_float() or dtype.is_decimal() else {}
    metadata |= {"nan": "null"} if has_nan else {}
    words += [f"metadata={mapping(metadata)}"] if metadata else []
    yield from wrapped(f"    {attribute}: {annotation(dtype)} = pa.Field", words)


def _policy(share: float) -> Iterator[str]:
    """Let the share of bad rows that the file has go to quarantine, and a tenth more."""
    if share:
        tolerance = min(1.0, math.ceil(share * 110) / 100)
        yield from (
            "",
            "    class Config:",
            '        """Some rows are known to be bad; they go to quarantine."""',
            "",
            f'        metadata = {{"on_invalid": "quarantine", "tolerance": {tolerance:g}}}',
        )
    yield ""
