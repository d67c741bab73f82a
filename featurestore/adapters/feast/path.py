"""Feast's own `get_online_features` as a serving path (see `featurestore.ports.ServingPath`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from feast import FeatureStore
from feast.errors import FeatureServiceNotFoundException

from featurestore.adapters.feast.context import reading_as_of
from featurestore.adapters.feast.protos import from_values
from featurestore.definitions.vector import untouched_features
from featurestore.errors import ContractError, MissingDataError
from featurestore.timing.join import Status, status_column
from featurestore.values.plain import in_utc_zone
from featurestore.vectors.references import references

if TYPE_CHECKING:
    from datetime import datetime

    from featurestore.config import Settings
    from featurestore.definitions.feature_service import FeatureService


class FeastPath:
    """``FeatureStore.get_online_features`` of Feast's SDK, over the applied registry.

    Feast's values have whole seconds and lists without missing elements: if it refuses a value of
    some rows, the path asks again, without timestamps and lists. Feast gives computed features no
    status of their own: theirs follows from the value. Nor does it apply fitted steps: the path answers the features that
    no step changes.
    """

    name = "Feast get_online_features"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def read(self, entity_rows: pl.DataFrame, service: FeatureService, as_of: datetime) -> pl.DataFrame:
        """Ask for the vector of each entity row.

        Raises
        ------
        ContractError
            If a key is missing: Feast's SDK takes no missing keys.
        MissingDataError
            If the service is not applied.
        """
        keys = entity_rows.select(*service.key_schema)
        if any(column.null_count() for column in keys):
            raise ContractError(
                "Feast's SDK takes no missing keys", hint="leave out the rows whose keys are missing"
            )
        store = FeatureStore(repo_path=str(self._settings.feast_repo))
        rows = in_utc_zone(entity_rows).to_dicts()
        try:
            applied = store.get_feature_service(service.name)
        except FeatureServiceNotFoundException as error:
            raise MissingDataError(
                f"feature service {service.name!r} is not in Feast's registry", hint="run: featurestore apply"
            ) from error
        with reading_as_of(as_of):
            try:
                response = store.get_online_features(features=applied, entity_rows=rows)
            except ContractError:
                schema = service.joined.feature_schema
                inexact = {name for name, dtype in schema.items() if dtype.is_nested() or dtype.is_temporal()}
                exact = references(service.joined, without=inexact)
                response = store.get_online_features(features=exact, entity_rows=rows)
        return _frame(service, response.proto)


def _frame(service: FeatureService, response: Any) -> pl.DataFrame:
    computed = {name for view in service.on_demand for name in view.feature_names}
    kept = untouched_features(service)
    columns = []
    for name, vector in zip(response.metadata.feature_names.val, response.results, strict=True):
        if name in kept:
            values = from_values(name, vector.values, service.feature_schema[name])
            statuses = pl.Series(status_column(name), list(vector.statuses), dtype=pl.UInt8)
            if name in computed:
                codes = {True: Status.NULL_VALUE.value, False: Status.PRESENT.value}
                statuses = values.is_null().replace_strict(codes, return_dtype=pl.UInt8).alias(statuses.name)
            columns += [values, statuses]
    return pl.DataFrame(columns)
