"""The gate of windowed features: what is read of a view keeps the schema of its features, on a sample and at the edges.

The gate of the events cannot see a sum that is out of range, or a count that does not fit into its dtype. So the features
of some keys are computed at the timestamps at which they change: as an event becomes known, one microsecond before, and as it
leaves each window.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl
from msgspec import structs

from featurestore.quality.gate.inspection import Inspection, inspect
from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.epoch import MICROSECOND
from featurestore.timing.join import AS_OF
from featurestore.timing.known_at import known_at
from featurestore.windows.features import features_at

if TYPE_CHECKING:
    from featurestore.definitions.contract import Contract
    from featurestore.definitions.feature_view import FeatureView

MAX_KEYS: Final = 64
MAX_QUESTIONS: Final = 10_000


def with_windows(view: FeatureView, inspection: Inspection) -> Inspection:
    """Add to what the gate found in the events of a view the rules that its features break.

    No row of events is to blame for a feature, so a broken rule refuses the dataset, unless the schema of the features
    says ``on_invalid="warn"``.

    Raises
    ------
    ContractError
        If a value does not fit into the dtype of its feature.
    """
    contract, verdict = view.window_contract, inspection.verdict
    if contract is None or verdict.decision == "refused" or not verdict.rows_passed:
        return inspection
    warns = contract.policy.on_invalid == "warn"
    features = inspect(sample(view, inspection.passing), _of_rows(contract), dataset=view.name).verdict
    rules = tuple(
        structs.replace(count, broken=1, whole_dataset=True, warning=count.warning or warns)
        for count in features.rules
    )
    if not rules:
        return inspection
    complete = structs.replace(verdict, rules=(*verdict.rules, *rules))
    if any(not count.warning for count in rules):
        complete = structs.replace(complete, decision="refused", contract=contract.name)
    return replace(inspection, verdict=complete)


def sample(view: FeatureView, rows: pl.LazyFrame) -> pl.DataFrame:
    """Compute the features of some keys at the timestamps at which they change: the keys and the features."""
    keys = list(view.keys)
    every = rows.select(keys).unique().sort(keys).collect()
    chosen = every.gather_every(max(1, -(-every.height // MAX_KEYS)))
    events = rows.join(chosen.lazy(), on=keys, how="semi").collect()
    durations = {window.duration for window in view.windows.values()}
    timestamps = pl.concat_list(
        KNOWN_AT,
        EVENT_TIMESTAMP,
        pl.col(KNOWN_AT) - MICROSECOND,
        *(pl.col(EVENT_TIMESTAMP) + duration for duration in durations if duration is not None),
    )
    entity_rows = (
        events.lazy()
        .with_columns(known_at(view.timing).alias(KNOWN_AT))
        .select(*keys, timestamps.alias(AS_OF))
        .explode(AS_OF, empty_as_null=True)
        .unique()
        .sort(*keys, AS_OF)
        .collect()
    )
    entity_rows = entity_rows.gather_every(max(1, -(-entity_rows.height // MAX_QUESTIONS)))
    features = features_at(
        entity_rows,
        events,
        view.windows,
        view.feature_schema,
        view=view.name,
        keys=keys,
        timing=view.timing,
        identity=view.identity,
    )
    return entity_rows.select(keys).hstack(features.drop(EVENT_TIMESTAMP))


def _of_rows(contract: Contract) -> Contract:
    """Keep the rules of single rows: a sample says nothing about a dataset, and a key is asked at several timestamps."""
    columns = tuple(replace(column, unique=False) for column in contract.columns)
    return replace(contract, columns=columns, uniques=(), metadata={})
