"""The gate of a feature view: its contract, and one row for each key and version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.quality.gate.inspection import Inspection, inspect
from featurestore.quality.gate.partition import SOURCE_FILE, SOURCE_ROW
from featurestore.quality.rules.contract_rules import unique_rule
from featurestore.quality.rules.expectations import NO_CONTEXT, ValidationContext
from featurestore.quality.rules.rule import RowRule
from featurestore.quality.rules.rule_id import RuleId
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.values.codec import MAX_KEY_BYTES, too_long

if TYPE_CHECKING:
    from featurestore.definitions.feature_view import FeatureView


def inspect_view(
    view: FeatureView, rows: pl.LazyFrame, context: ValidationContext = NO_CONTEXT
) -> Inspection:
    """Check the rows of a feature view.

    Beyond the contract, two rows of one key and version must have equal values, and each key must
    fit into the stores. Rows that repeat another row are dropped.

    Raises
    ------
    ContractError
        If columns are missing, unexpected or of a wrong dtype.
    """
    version = [*view.keys, EVENT_TIMESTAMP]
    if view.timing.created:
        version.append(CREATED_TIMESTAMP)
    columns = rows.collect_schema()
    if any(name not in columns for name in version):
        # The rows cannot be sorted; the error of the contract names what is missing.
        return inspect(rows, view.contract, dataset=view.name, context=context)
    ordered = rows.sort(version, nulls_last=False)
    # Not `unique`, which turns -0.0 into 0.0: once sorted, equal rows are neighbours.
    compared = (name for name in columns if name in view.contract or name not in (SOURCE_FILE, SOURCE_ROW))
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in compared)
    first = pl.int_range(pl.len()) == 0
    return inspect(
        ordered.filter(differs | first).collect(),
        view.contract,
        dataset=view.name,
        context=context,
        extra_rules=(unique_rule(tuple(version)), _length_rule(view.keys)),
    )


def _length_rule(keys: tuple[str, ...]) -> RowRule:
    broken = pl.struct(keys).map_batches(
        lambda key: too_long(key.struct.unnest()), return_dtype=pl.Boolean, is_elementwise=True
    )
    return RowRule(RuleId("key_length", keys, (str(MAX_KEY_BYTES),)), broken, independent=True)
