"""The gate of a feature view: its contract, and one row for each key and version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.quality.gate.casting import cast_plan, fallible_columns
from featurestore.quality.gate.inspection import Inspection, inspect
from featurestore.quality.gate.partition import SOURCE_FILE, SOURCE_ROW
from featurestore.quality.rules.contract_rules import failed_column, unique_rule
from featurestore.quality.rules.duplicates import duplicated_rows
from featurestore.quality.rules.expectations import NO_CONTEXT, ValidationContext
from featurestore.quality.rules.rule import ROW, RowRule, SearchRule
from featurestore.quality.rules.rule_id import RuleId
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.timing.version import version_columns
from featurestore.values.bits import bits_of
from featurestore.values.codec import MAX_KEY_BYTES, too_long

if TYPE_CHECKING:
    from collections.abc import Collection

    from featurestore.definitions.feature_view import FeatureView


def inspect_view(
    view: FeatureView, rows: pl.LazyFrame, context: ValidationContext = NO_CONTEXT
) -> Inspection:
    """Check the rows of a feature view.

    Beyond the contract, two rows of one key and version must have equal values, and each key must
    fit into the stores. Rows that repeat another row are dropped. Events are compared only if the
    view says what identifies one.

    Raises
    ------
    ContractError
        If columns are missing, unexpected or of a wrong dtype.
    """
    version = (*view.keys, *view.identity, *version_columns(view.timing))
    columns = rows.collect_schema()
    if any(name not in columns for name in version):
        # The rows cannot be sorted; the error of the contract names what is missing.
        return inspect(rows, view.contract, dataset=view.name, context=context)
    own = {
        name: dtype
        for name, dtype in columns.items()
        if name in view.contract or name not in (SOURCE_FILE, SOURCE_ROW)
    }
    plan = cast_plan(pl.Schema(own), view.contract, dataset=view.name)
    # The order of the values and not of their text, which a file of CSV has.
    values = {name: plan[name].value for name in version}
    if view.timing.created:
        values[CREATED_TIMESTAMP] = pl.coalesce(values[CREATED_TIMESTAMP], values[EVENT_TIMESTAMP])
    # The raw columns come last: of two rows that are equal in version and values, the same one is kept every time.
    raw = [
        name for name in version if name == CREATED_TIMESTAMP or columns[name] != view.contract[name].dtype
    ]
    ordered = rows.sort(*values.values(), *raw, nulls_last=False)
    # Not `unique`, which turns -0.0 into 0.0: once sorted, equal rows are neighbours.
    compared = {name: bits_of(pl.col(name), dtype) for name, dtype in own.items()}
    if view.timing.created:
        compared[CREATED_TIMESTAMP] = values[CREATED_TIMESTAMP]
        if (failed := plan[CREATED_TIMESTAMP].failed) is not None:
            # A value that cannot be cast is not a missing one: the contract reports it.
            compared[failed_column(CREATED_TIMESTAMP)] = pl.when(failed).then(pl.col(CREATED_TIMESTAMP))
    if view.windows and not view.identity:
        # Equal rows are separate events.
        return inspect(
            ordered.collect(),
            view.contract,
            dataset=view.name,
            context=context,
            extra_rules=_length_rules(view.keys),
        )
    differs = pl.any_horizontal(value.ne_missing(value.shift()) for value in compared.values())
    first = pl.int_range(pl.len()) == 0
    return inspect(
        ordered.filter(differs | first).collect(),
        view.contract,
        dataset=view.name,
        context=context,
        extra_rules=(_version_rule(version, fallible=fallible_columns(plan)), *_length_rules(view.keys)),
    )


def _version_rule(version: tuple[str, ...], *, fallible: Collection[str]) -> SearchRule:
    """Return the rule that no two rows share key and version, where a missing created timestamp is the event."""
    if CREATED_TIMESTAMP not in version:
        return unique_rule(version)
    created = pl.coalesce(CREATED_TIMESTAMP, EVENT_TIMESTAMP)
    if CREATED_TIMESTAMP in fallible:
        created = pl.when(~pl.col(failed_column(CREATED_TIMESTAMP))).then(created)
    return SearchRule(
        RuleId("unique", version),
        lambda frame: duplicated_rows(frame.with_columns(created.alias(CREATED_TIMESTAMP)), version, ROW),
        compares_rows=True,
        independent=True,
    )


def _length_rules(keys: tuple[str, ...]) -> tuple[RowRule, ...]:
    if not keys:
        return ()
    broken = pl.struct(keys).map_batches(
        lambda key: too_long(key.struct.unnest()), return_dtype=pl.Boolean, is_elementwise=True
    )
    return (RowRule(RuleId("key_length", keys, (str(MAX_KEY_BYTES),)), broken, independent=True),)
