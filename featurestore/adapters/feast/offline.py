"""The point-in-time join as Feast's offline store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
from feast.feature_logging import LoggingConfig, LoggingSource
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob, RetrievalMetadata
from feast.repo_config import FeastConfigBaseModel

from featurestore.adapters.entity_rows import frame_of
from featurestore.adapters.feast.arrow import NULLABLE, arrow_table, wire_columns
from featurestore.adapters.feast.context import Context, context_of
from featurestore.adapters.feast.entity_frame import named_timestamps
from featurestore.adapters.feast.objects import source_name
from featurestore.adapters.feast.places import SavedDatasetExistsError, local_file, local_folder
from featurestore.adapters.polars import PolarsEngine
from featurestore.definitions.feature_service import feature_service
from featurestore.definitions.feature_view import FeatureView
from featurestore.errors import ConfigError, ContractError
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.storage.datasets import require_same_definition
from featurestore.storage.files import scan_required, write_parquet
from featurestore.storage.fingerprint import fingerprint
from featurestore.storage.parquet import read_files, scan_files
from featurestore.storage.views import rows_of, scan_view
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import in_utc
from featurestore.timing.fold import known_rows, newest_rows
from featurestore.timing.known_at import known_at
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.historical import changes, historical

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    import pandas as pd
    import pyarrow as pa

    from featurestore.storage.layout import Layout


class PolarsOfflineStoreConfig(FeastConfigBaseModel):
    """Settings of the offline store. It has none beyond its type."""

    type: Literal["featurestore.adapters.feast.offline.PolarsOfflineStore"] = (
        "featurestore.adapters.feast.offline.PolarsOfflineStore"
    )


class PolarsRetrievalJob(RetrievalJob):
    """A retrieval that runs when its result is read. The result contains the on-demand features."""

    def __init__(
        self,
        run: Callable[[], pl.DataFrame],
        *,
        feast_repo: Path | None = None,
        full_feature_names: bool = False,
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        self._run = run
        self._feast_repo = feast_repo or Path()
        self._full_feature_names = full_feature_names
        self._metadata = metadata

    def to_df(self, validation_reference: Any = None, timeout: int | None = None) -> pd.DataFrame:
        """Run the retrieval.

        Integer columns with missing values become pandas' nullable integers.
        """
        table = self.to_arrow(validation_reference=validation_reference, timeout=timeout)
        return table.to_pandas(types_mapper=NULLABLE.get).reset_index(drop=True)

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal(timeout).to_pandas(types_mapper=NULLABLE.get)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return arrow_table(self._run())

    @property
    def full_feature_names(self) -> bool:
        """Whether features are named ``view__feature``."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[Any]:
        """Empty: Feast has nothing left to compute."""
        return []

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """The features and keys of the request, and the interval of its timestamps."""
        return self._metadata

    def persist(self, storage: Any, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Write the result to a Parquet file. A relative path is relative to the repository.

        Raises
        ------
        ConfigError
            If the storage is not a local Parquet file.
        SavedDatasetExistsError
            If the file exists and may not be replaced.
        """
        path = local_file(storage, self._feast_repo)
        if path.exists() and not allow_overwrite:
            raise SavedDatasetExistsError(path)
        write_parquet(self._run(), path)


class PolarsOfflineStore(OfflineStore):
    """Feast's offline store over the project's feature views."""

    # The join never sees a row before it was known, with the flag and without it.
    supports_filter_by_created_timestamp = True

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
        """Join features to entity rows: a pandas frame, or SQL over the project's datasets."""
        context = context_of(config.repo_path)
        layout = context.layout
        projections = [view.projection for view in feature_views]
        aliases = {p.name_alias: (p.name, p.join_key_map) for p in projections if p.name_alias}
        service = context.catalog.request(feature_refs, aliases, full_names=full_feature_names)
        views = [rows_of(selection, layout) for selection in service.reads]

        if entity_df is None:
            start, end = kwargs.get("start_date"), kwargs.get("end_date") or context.settings.now()
            rows = changes(service, views, start=in_utc(start) if start else None, end=in_utc(end))
        else:
            rows = frame_of(
                entity_df,
                _tables(context, layout),
                lambda name: require_same_definition(context.catalog.node(name), layout),
            )
        rows, timestamp_column = named_timestamps(rows)
        timestamps = rows[EVENT_TIMESTAMP] if EVENT_TIMESTAMP in rows.columns else pl.Series([None])

        check = RequestGate(service).check_frame

        def run() -> pl.DataFrame:
            joined = historical(
                rows, service, views, PolarsEngine(), check=check, full_names=full_feature_names
            )
            short = {name: full.partition("__")[2] for name, full in service.full_names.items()}
            named = joined if full_feature_names else joined.rename(short)
            return named.rename({EVENT_TIMESTAMP: timestamp_column})

        return PolarsRetrievalJob(
            run,
            feast_repo=config.repo_path,
            full_feature_names=full_feature_names,
            metadata=RetrievalMetadata(
                features=feature_refs,
                keys=[name for name in rows.columns if name != EVENT_TIMESTAMP],
                min_event_timestamp=timestamps.min(),
                max_event_timestamp=timestamps.max(),
            ),
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
        """Return the newest row of each key that became known in an interval.

        Of windows: those of each key that changed in the interval, as they are at its end.
        """
        view = _view_of(config, data_source)
        if view is None:
            raise ContractError(
                f"source {data_source.name!r} does not belong to a feature view of this project",
                hint="run: featurestore apply; Feast then knows the feature views of the project",
            )
        if view.windows:
            entity_rows = _window_changes(
                view, feature_name_columns, config, in_utc(start_date), in_utc(end_date)
            )
            at_end = entity_rows.select(view.keys).unique(maintain_order=True)
            at_end = at_end.with_columns(
                pl.lit(in_utc(end_date), dtype=UTC_MICROSECONDS).alias(EVENT_TIMESTAMP)
            )
            return _windows_job(view, feature_name_columns, config, at_end, created_timestamp_column)
        rows = scan_view(view, context_of(config.repo_path).layout)
        columns = [*join_key_columns, *feature_name_columns, timestamp_field]
        columns += [created_timestamp_column] if created_timestamp_column else []
        known = known_rows(rows, view.timing, until=in_utc(end_date), after=in_utc(start_date))
        newest = newest_rows(known, view.keys, view.timing)
        wire = wire_columns({name: view.feature_schema[name] for name in feature_name_columns})
        return PolarsRetrievalJob(newest.with_columns(wire).select(*columns, *_placeholder(view)).collect)

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
        """Return all rows that became known in an interval; of windows, each at the timestamp at which it changed.

        Of a saved dataset, return the rows with a timestamp in it.
        """
        columns = [*join_key_columns, *feature_name_columns, timestamp_field]
        columns += [created_timestamp_column] if created_timestamp_column else []
        view = _view_of(config, data_source)
        if view is not None and view.windows:
            start = None if start_date is None else in_utc(start_date)
            end = in_utc(end_date) if end_date is not None else context_of(config.repo_path).settings.now()
            entity_rows = _window_changes(view, feature_name_columns, config, start, end)
            return _windows_job(view, feature_name_columns, config, entity_rows, created_timestamp_column)
        if view is None:
            known, rows, wire = pl.col(timestamp_field), _saved(config, data_source), []
            placeholder = []
        else:
            known, rows = known_at(view.timing), scan_view(view, context_of(config.repo_path).layout)
            wire = wire_columns({name: view.feature_schema[name] for name in feature_name_columns})
            placeholder = _placeholder(view)
        if start_date is not None:
            first = in_utc(start_date)
            rows = rows.filter(known >= first if view is None else known > first)
        if end_date is not None:
            rows = rows.filter(known <= in_utc(end_date))
        return PolarsRetrievalJob(rows.with_columns(wire).select(*columns, *placeholder).collect)

    @staticmethod
    def write_logged_features(
        config: Any, data: Any, source: LoggingSource, logging_config: LoggingConfig, registry: Any
    ) -> None:
        """Append served features to the folder that the logging destination names."""
        folder = local_folder(logging_config.destination.path, config.repo_path)
        logged = read_files(data) if isinstance(data, Path) else pl.DataFrame(data)
        name = fingerprint(logged).removeprefix("sha256:")
        write_parquet(logged, folder / f"{name}.parquet")

    @staticmethod
    def offline_write_batch(config: Any, feature_view: Any, table: Any, progress: Any) -> None:
        """Push rows to a feature view as ``project.push`` does, to training and serving.

        Raises
        ------
        ContractError
            If a row breaks the view's contract. No row is written then.
        DefinitionError
            If the view's schema has no ``created_timestamp``.
        """
        context_of(config.repo_path).push(feature_view.name, frame_of(table, {}))
        if progress is not None:
            progress(table.num_rows)


def _window_changes(
    view: FeatureView, features: Sequence[str], config: Any, start: datetime | None, end: datetime
) -> pl.DataFrame:
    """List the keys and timestamps at which the windows of a view changed."""
    selection = view[tuple(features)]
    rows = rows_of(selection, context_of(config.repo_path).layout)
    return changes(feature_service(view.name, (selection,), owner=view.owner), [rows], start=start, end=end)


def _windows_job(
    view: FeatureView, features: Sequence[str], config: Any, entity_rows: pl.DataFrame, created: str | None
) -> PolarsRetrievalJob:
    """Return the windows of a view at some timestamps, as rows of features that were created then."""
    selection = view[tuple(features)]
    service = feature_service(view.name, (selection,), owner=view.owner)
    layout = context_of(config.repo_path).layout

    def run() -> pl.DataFrame:
        joined = historical(entity_rows, service, [rows_of(selection, layout)], PolarsEngine())
        times = [pl.col(EVENT_TIMESTAMP).alias(created)] if created else []
        wire = wire_columns({name: view.feature_schema[name] for name in features})
        return joined.with_columns(wire).select(*view.keys, *features, EVENT_TIMESTAMP, *times)

    return PolarsRetrievalJob(run)


def _placeholder(view: FeatureView) -> list[pl.Expr]:
    """Return the key column that Feast gives rows of a view without an entity, as its own stores add it."""
    return [] if view.keys else [pl.lit(DUMMY_ENTITY_VAL).alias(DUMMY_ENTITY_ID)]


def _view_of(config: Any, data_source: Any) -> FeatureView | None:
    """Return the view that a Feast source was compiled from; None: the source is a saved dataset or a log.

    Raises
    ------
    ConfigError
        If the registry was applied in another folder, and its paths lead there.
    """
    context = context_of(config.repo_path)
    path = (Path(config.repo_path or ".") / data_source.path).resolve()
    for view in context.catalog.views.values():
        rows = context.layout.features(view.name).resolve()
        if data_source.name == source_name(view.name) and path != rows:
            raise ConfigError(
                f"feature view {view.name!r}: the registry was applied in another folder: it says {path}, and the "
                f"rows of this project are in {rows}",
                hint="run: featurestore apply",
            )
        if path == rows:
            return view
    return None


def _saved(config: Any, data_source: Any) -> pl.LazyFrame:
    path = local_folder(data_source.path, config.repo_path)
    if path.is_dir():
        # Served features are logged as files of one folder.
        return scan_files(sorted(path.glob("*.parquet")))
    return scan_required(path, made_by="store.create_saved_dataset")


def _tables(context: Context, layout: Layout) -> dict[str, Path]:
    catalog = context.catalog
    tables = {name: layout.dataset(name) for name in (*catalog.sources, *catalog.datasets)}
    return tables | {name: layout.features(name) for name in catalog.views}
