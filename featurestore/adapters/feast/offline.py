"""Our point-in-time join as Feast's offline store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import polars as pl
import pyarrow as pa
from feast.feature_logging import LoggingConfig, LoggingSource
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob, RetrievalMetadata
from feast.repo_config import FeastConfigBaseModel

from featurestore.adapters.entity_rows import frame_of
from featurestore.adapters.feast.context import Context, context_of
from featurestore.adapters.feast.protos import moment
from featurestore.adapters.polars import PolarsEngine
from featurestore.definitions.feature_view import FeatureView
from featurestore.errors import ConfigError, ContractError
from featurestore.storage.files import scan_parquet, write_parquet
from featurestore.storage.layout import Layout
from featurestore.storage.views import rows_of
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.fold import known_rows, newest_rows
from featurestore.timing.known_at import known_at
from featurestore.vectors.historical import changes, historical

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


# Integers with missing values stay integers in pandas.
_NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


class PolarsOfflineStoreConfig(FeastConfigBaseModel):
    """Settings of the offline store: none beyond its type."""

    type: Literal["featurestore.adapters.feast.offline.PolarsOfflineStore"] = (
        "featurestore.adapters.feast.offline.PolarsOfflineStore"
    )


class PolarsRetrievalJob(RetrievalJob):
    """A retrieval that runs when its result is asked for; on-demand features are part of it."""

    def __init__(
        self,
        run: Callable[[], pl.DataFrame],
        *,
        full_feature_names: bool = False,
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        self._run = run
        self._full_feature_names = full_feature_names
        self._metadata = metadata

    def to_df(self, validation_reference: Any = None, timeout: int | None = None) -> pd.DataFrame:
        """Run it; integers with missing values come as pandas' nullable integers."""
        table = self.to_arrow(validation_reference=validation_reference, timeout=timeout)
        return table.to_pandas(types_mapper=_NULLABLE.get).reset_index(drop=True)

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal(timeout).to_pandas(types_mapper=_NULLABLE.get)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._run().to_arrow(compat_level=pl.CompatLevel.oldest())

    @property
    def full_feature_names(self) -> bool:
        """Whether features are named ``view__feature``."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[Any]:
        """Nothing is left for Feast to compute."""
        return []

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for."""
        return self._metadata

    def persist(self, storage: Any, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Write the result to a Parquet file."""
        if not isinstance(storage, SavedDatasetFileStorage):
            raise ConfigError(
                f"a saved dataset cannot be kept in {type(storage).__name__}", hint="use a file"
            )
        path = Path(storage.file_options.uri)
        if path.exists() and not allow_overwrite:
            raise ConfigError(f"{path} is there already", hint="pass allow_overwrite=True")
        write_parquet(self._run(), path)


class PolarsOfflineStore(OfflineStore):
    """Feast's offline store over the project's feature views."""

    @staticmethod
    def get_historical_features(
        config: Any,
        feature_views: list[Any],
        feature_refs: list[str],
        entity_df: Any,
        registry: Any,
        project: str,
        full_feature_names: bool = False,
        **kwargs: Any,
    ) -> RetrievalJob:
        """Join features to entity rows: a pandas frame, or a DuckDB query over the project's datasets."""
        context = context_of(config.repo_path)
        layout = Layout(context.settings.data)
        service = context.catalog.request(feature_refs)
        views = [rows_of(selection, layout) for selection in service.reads]

        def run() -> pl.DataFrame:
            if entity_df is None:
                start, end = kwargs.get("start_date"), kwargs.get("end_date") or context.settings.now()
                rows = changes(service, views, start=moment(start) if start else None, end=moment(end))
            else:
                rows = frame_of(entity_df, _tables(context, layout))
            return historical(rows, service, views, PolarsEngine(), full_names=full_feature_names)

        keys = (
            list(service.key_schema) if entity_df is None or isinstance(entity_df, str) else list(entity_df)
        )
        return PolarsRetrievalJob(
            run,
            full_feature_names=full_feature_names,
            metadata=RetrievalMetadata(feature_refs, [key for key in keys if key != EVENT_TIMESTAMP]),
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: Any,
        data_source: Any,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """Take of each key the newest row that became known between two moments."""
        view, rows = _source(config, data_source)
        columns = [*join_key_columns, *feature_name_columns, timestamp_field]
        columns += [created_timestamp_column] if created_timestamp_column else []
        known = known_rows(rows, view.timing, until=moment(end_date), after=moment(start_date))
        newest = newest_rows(known, view.keys, view.timing).select(columns)
        return PolarsRetrievalJob(newest.collect)

    @staticmethod
    def pull_all_from_table_or_query(
        config: Any,
        data_source: Any,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Take all rows that became known in a span of time: Feast materializes from them."""
        view, rows = _source(config, data_source)
        columns = [*join_key_columns, *feature_name_columns, timestamp_field]
        columns += [created_timestamp_column] if created_timestamp_column else []
        known = known_at(view.timing)
        if start_date is not None:
            rows = rows.filter(known > moment(start_date))
        if end_date is not None:
            rows = rows.filter(known <= moment(end_date))
        return PolarsRetrievalJob(rows.select(columns).collect)

    @staticmethod
    def write_logged_features(
        config: Any, data: Any, source: LoggingSource, logging_config: LoggingConfig, registry: Any
    ) -> None:
        """Refuse: served features are not logged through Feast."""
        raise ConfigError("served features are not logged through Feast's offline store")

    @staticmethod
    def offline_write_batch(config: Any, feature_view: Any, table: Any, progress: Any) -> None:
        """Refuse: rows of a feature view come from its function."""
        raise ConfigError(
            f"feature view {feature_view.name!r} is built from its definition, not written to",
            hint=f"run: featurestore build {feature_view.name}",
        )


def _scan(view: FeatureView, layout: Layout) -> pl.LazyFrame:
    return scan_parquet(layout.features(view.name), made_by=f"featurestore build {view.name}")


def _source(config: Any, data_source: Any) -> tuple[FeatureView, pl.LazyFrame]:
    context = context_of(config.repo_path)
    layout = Layout(context.settings.data)
    for view in context.catalog.views.values():
        if Path(data_source.path) == layout.features(view.name).resolve():
            return view, _scan(view, layout)
    raise ContractError(f"source {data_source.name!r} is not that of a feature view of this project")


def _tables(context: Context, layout: Layout) -> dict[str, Path]:
    catalog = context.catalog
    tables = {name: layout.dataset(name) for name in (*catalog.sources, *catalog.datasets)}
    return tables | {name: layout.features(name) for name in catalog.views}
