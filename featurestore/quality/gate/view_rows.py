"""The gate of a feature view's rows: their contract, and one set of values for each key and version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.quality.gate.compiled_contract import SOURCE_FILE, SOURCE_ROW
from featurestore.quality.gate.inspection import Inspection, inspect
from featurestore.quality.rules.contract_rules import Rule, unique_rule
from featurestore.quality.rules.expectations import NO_CONTEXT, ValidationContext
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.values.codec import MAX_KEY_BYTES, too_long

if TYPE_CHECKING:
    from featurestore.definitions.feature_view import FeatureView


def inspect_view(
    view: FeatureView, rows: pl.LazyFrame, context: ValidationContext = NO_CONTEXT
) -> Inspection:
    """Check the rows of a feature view; two rows of one key and version must not differ, and stores must hold its keys."""
    version = [*view.keys, EVENT_TIMESTAMP]
    if view.timing.created:
        version.append(CREATED_TIMESTAMP)
    given = rows.collect_schema()
    if any(name not in given for name in version):
        # Nothing to order by: the contract says what is missing.
        return inspect(rows, view.contract, dataset=view.name, context=context)
    ordered = rows.sort(version, nulls_last=False)
    # Not `unique`, which turns -0.0 into 0.0: rows that repeat another stand beside it once sorted.
    told = (name for name in given if name in view.contract or name not in (SOURCE_FILE, SOURCE_ROW))
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in told)
    first = pl.int_range(pl.len()) == 0
    return inspect(
        ordered.filter(differs | first).collect(),
        view.contract,
        dataset=view.name,
        context=context,
        further=(unique_rule(tuple(version)), _length_rule(view.keys)),
    )


def _length_rule(keys: tuple[str, ...]) -> Rule:
    broken = pl.struct(keys).map_batches(
        lambda key: too_long(key.struct.unnest()), return_dtype=pl.Boolean, is_elementwise=True
    )
    return Rule(f"key.at_most_{MAX_KEY_BYTES}_bytes", keys, broken, lasting=True)
