"""The project's online store as Feast's online store: the same bytes, expiry and statuses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
from feast import utils
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.online_response import OnlineResponse
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.repo_config import FeastConfigBaseModel
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import ConfigDict, Field, StrictStr

from featurestore.adapters.feast.applied import require_known, require_ours
from featurestore.adapters.feast.context import answering, context_of
from featurestore.adapters.feast.protos import to_values
from featurestore.adapters.feast.rows import FeastRow, key_frame, rows_of, stored_rows, versions_of
from featurestore.adapters.stores import open_store
from featurestore.storage.lock import locked
from featurestore.storage.online import advance_to, current_time, next_watermark
from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.join import Status, read_at, status_column
from featurestore.timing.known_at import known_at
from featurestore.values.codec import decode_rows, encode_keys, require_intact
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.state import check_state, read_now
from featurestore.vectors.stored_windows import read_stored_windows, until_unchanged

if TYPE_CHECKING:
    from featurestore.adapters.feast.context import Context
    from featurestore.definitions.feature_view import FeatureView


class LmdbOnlineStoreConfig(FeastConfigBaseModel):
    """Settings of the online store.

    Attributes
    ----------
    path
        Folder of the store, relative to the folder of feature_store.yaml.
    as_of
        A fixed timestamp in place of the current time, ISO 8601 with offset. Default: the clock.
    """

    type: Literal["featurestore.adapters.feast.online.LmdbOnlineStore"] = (
        "featurestore.adapters.feast.online.LmdbOnlineStore"
    )
    path: StrictStr = "../data/online/store.lmdb"
    as_of: StrictStr | None = None


class _ServerConfig(FeastConfigBaseModel):
    """Settings of an online store on a server.

    Attributes
    ----------
    url
        URL of the server. ``${VARIABLE}`` is replaced by the environment variable.
    as_of
        A fixed timestamp in place of the current time, ISO 8601 with offset. Default: the clock.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    url: StrictStr = Field(repr=False)
    as_of: StrictStr | None = None


class RedisOnlineStoreConfig(_ServerConfig):
    """Settings of the online store in Redis."""

    type: Literal["featurestore.adapters.feast.online.RedisOnlineStore"] = (
        "featurestore.adapters.feast.online.RedisOnlineStore"
    )


class PostgresOnlineStoreConfig(_ServerConfig):
    """Settings of the online store in PostgreSQL."""

    type: Literal["featurestore.adapters.feast.online.PostgresOnlineStore"] = (
        "featurestore.adapters.feast.online.PostgresOnlineStore"
    )


class LmdbOnlineStore(OnlineStore):
    """Feast's online store over LMDB."""

    def online_write_batch(
        self,
        config: Any,
        table: Any,
        data: list[tuple[Any, dict[str, Any], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows: a materialization advances the view, and other rows are pushed.

        Feast's materialization writes rows that the offline store holds. The view is advanced to the
        time at which all of them are known, and never past the current time. The watermark promises
        that every row known by then is applied, so the rows of other writers are applied too.

        Every other row goes the way of ``project.push``: through the gate of the view, into the log
        of pushed rows, and online.

        Raises
        ------
        ContractError
            If a pushed row breaks the view's contract. No row is written then.
        DefinitionError
            If rows are pushed to a view whose schema has no ``created_timestamp``.
        """
        context = context_of(config.repo_path)
        view = context.view(table.name)
        # A materialization reports its progress. `write_to_online_store` and `push` do not.
        pushed = data if progress is None else _advance(context, view, data)
        if pushed:
            context.push(view.name, rows_of(view, pushed))
        if progress is not None:
            progress(len(data))

    def online_read(
        self, config: Any, table: Any, entity_keys: list[Any], requested_features: list[str] | None = None
    ) -> list[tuple[datetime | None, dict[str, Any] | None]]:
        """Look up rows.

        The values of an expired row are null, and its event timestamp is returned.
        """
        features = requested_features or [field.name for field in table.features]
        events, values, statuses = _read(context_of(config.repo_path), table.name, entity_keys, features)
        return [
            (event, {name: values[name][i] for name in features})
            if statuses[features[0]][i] != Status.NOT_FOUND
            else (None, None)
            for i, event in enumerate(events)
        ]

    def _read_features_per_fv(
        self,
        config: Any,
        grouped_refs: list[Any],
        join_key_values: dict[str, Any],
        entity_name_to_join_key_map: dict[str, str],
        online_features_response: Any,
        full_feature_names: bool,
        include_feature_view_version_metadata: bool,
    ) -> None:
        # Feast's own implementation knows two statuses; this store returns four.
        context = context_of(config.repo_path)
        for table, requested in grouped_refs:
            unique, positions, height = utils._get_unique_entities(  # noqa: SLF001 - as Feast's own stores do
                table, join_key_values, entity_name_to_join_key_map
            )
            keys = utils._get_entity_key_protos(unique)  # noqa: SLF001
            event_timestamps, values, statuses = _read(context, table.name, keys, requested)
            row_of = [0] * height
            for i, destinations in enumerate(positions):
                for destination in destinations:
                    row_of[destination] = i
            stamps = [_timestamp(event) for event in event_timestamps]
            prefix = f"{table.projection.name_to_use()}__" if full_feature_names else ""
            for name in requested:
                online_features_response.metadata.feature_names.val.append(f"{prefix}{name}")
                online_features_response.results.append(
                    GetOnlineFeaturesResponse.FeatureVector(
                        values=[values[name][i] for i in row_of],
                        statuses=[FieldStatus.Value(Status(statuses[name][i]).name) for i in row_of],
                        event_timestamps=[stamps[i] for i in row_of],
                    )
                )

    def get_online_features(
        self, config: Any, features: Any, entity_rows: Any, *args: Any, **named: Any
    ) -> OnlineResponse:
        """Answer a request as Feast does. On-demand features are those of this repository.

        Views without an entity need no keys: each empty entity row gets one answer, and a mapping without
        keys gets one. Feast's own stores fail there, because they count rows by their keys.

        Raises
        ------
        DefinitionError
            If an on-demand view is Feast's own: training could not compute it.
        """
        if not isinstance(entity_rows, list):
            entity_rows = entity_rows or {DUMMY_ENTITY_ID: [DUMMY_ENTITY_VAL]}
        elif not any(entity_rows):
            entity_rows = [{DUMMY_ENTITY_ID: DUMMY_ENTITY_VAL} for _ in entity_rows]
        with answering(config.repo_path):
            response = super().get_online_features(config, features, entity_rows, *args, **named)
        require_known(context_of(config.repo_path), features)
        return response

    @property
    def async_supported(self) -> SupportedAsyncMethods:
        """Reads and writes start a thread themselves, so that Feast's server can await them."""
        return SupportedAsyncMethods(read=True, write=True)

    async def online_write_batch_async(
        self,
        config: Any,
        table: Any,
        data: list[tuple[Any, dict[str, Any], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Apply rows as `online_write_batch` does, outside the event loop."""
        await asyncio.to_thread(self.online_write_batch, config, table, data, progress)

    async def online_read_async(
        self, config: Any, table: Any, entity_keys: list[Any], requested_features: list[str] | None = None
    ) -> list[tuple[datetime | None, dict[str, Any] | None]]:
        """Look up rows as `online_read` does, outside the event loop."""
        return await asyncio.to_thread(self.online_read, config, table, entity_keys, requested_features)

    async def get_online_features_async(self, *args: Any, **named: Any) -> OnlineResponse:
        """Answer a request as `get_online_features` does, outside the event loop."""
        return await asyncio.to_thread(self.get_online_features, *args, **named)

    def update(
        self,
        config: Any,
        tables_to_delete: Sequence[Any],
        tables_to_keep: Sequence[Any],
        entities_to_delete: Sequence[Any],
        entities_to_keep: Sequence[Any],
        partial: bool,
    ) -> None:
        """Keep all data: unregistered views are not read. Feast calls this before it keeps the registry.

        Raises
        ------
        DefinitionError
            If a view was not compiled from a definition of the project, or ``feast apply`` does not
            find a defined view.
        """
        removes = bool(tables_to_delete) and not tables_to_keep
        require_ours(context_of(config.repo_path), tables_to_keep, complete=not partial and not removes)

    def teardown(self, config: Any, tables: Sequence[Any], entities: Sequence[Any]) -> None:
        """Remove the rows of the views."""
        settings = context_of(config.repo_path).settings
        if settings.online_url is not None or settings.online.exists():
            open_store(settings).drop([table.name for table in tables])


class RedisOnlineStore(LmdbOnlineStore):
    """Feast's online store over Redis."""


class PostgresOnlineStore(LmdbOnlineStore):
    """Feast's online store over PostgreSQL."""


def _read(
    context: Context, name: str, entity_keys: Sequence[Any], features: Sequence[str]
) -> tuple[list[datetime | None], dict[str, list[Any]], dict[str, list[int]]]:
    return read_now(lambda now: _read_at(context, name, entity_keys, features, now), context.now())


def _read_at(
    context: Context, name: str, entity_keys: Sequence[Any], features: Sequence[str], now: datetime
) -> tuple[list[datetime | None], dict[str, list[Any]], dict[str, list[int]]]:
    view = context.view(name)
    keys = encode_keys(key_frame(view, entity_keys), view.keys)
    read = until_unchanged(lambda: _vectors(context, view, keys, tuple(features), now))
    values = {feature: to_values(read[feature]) for feature in features}
    return read[EVENT_TIMESTAMP].to_list(), values, {f: read[status_column(f)].to_list() for f in features}


def _vectors(
    context: Context, view: FeatureView, keys: list[bytes], features: tuple[str, ...], now: datetime
) -> pl.DataFrame:
    store = open_store(context.settings)
    [(state, rows)] = store.read([(view.name, keys)])
    check_state(view, state, now, context.layout)
    require_intact(keys, rows)
    if view.windows:
        return read_stored_windows(view[features], store, keys, rows, now)
    decoded = decode_rows(rows, view.feature_schema)
    as_of = pl.lit(now, dtype=UTC_MICROSECONDS)
    read = read_at(decoded.lazy(), features=features, timing=view.timing, as_of=as_of).collect()
    return read.with_columns(decoded[EVENT_TIMESTAMP])


def _advance(context: Context, view: FeatureView, data: Sequence[FeastRow]) -> list[FeastRow]:
    """Apply what the offline store holds of `data`; return the other rows."""
    versions = versions_of(view, data)
    stored = stored_rows(view, versions, context.layout)
    known = versions.filter(stored).select(known_at(view.timing).alias(KNOWN_AT).max()).item()
    if known is not None:
        store = open_store(context.settings, create=True)
        until = min(known, current_time(context.settings, store))
        with locked(context.layout.lock(view.name)):
            watermark = next_watermark(view, until, store, settings=context.settings)
            advance_to(watermark, view, context.layout, store)
    return [row for row, is_stored in zip(data, stored, strict=True) if not is_stored]


def _timestamp(event: datetime | None) -> Timestamp:
    stamp = Timestamp()
    if event is not None:
        stamp.FromDatetime(event)
    return stamp
