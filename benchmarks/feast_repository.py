"""A small repository of plain Feast (Parquet files, SQLite), for the faults of docs/faults.md."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, PushSource, RepoConfig
from feast.data_source import PushMode
from feast.feature_server_utils import convert_response_to_dict
from feast.types import Int64
from feast.value_type import ValueType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from feast.on_demand_feature_view import OnDemandFeatureView

START = datetime(2020, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 1, 10, tzinfo=UTC)
WEEK = timedelta(days=7)
UTC_MICROSECONDS = pl.Datetime("us", "UTC")
TIMES = {"event": UTC_MICROSECONDS, "created": UTC_MICROSECONDS}


def rows_of(*rows: dict[str, Any], **dtypes: Any) -> pl.DataFrame:
    """Return rows of key ``k`` 1 and integer ``x``, created when they happened, unless they say otherwise."""
    filled = [{"k": 1, "created": row["event"], **row} for row in rows]
    return pl.DataFrame(filled, schema_overrides={**TIMES, **dtypes})


def days_ago(days: float, microseconds: int = 0) -> datetime:
    """Return a time before `NOW`."""
    return NOW - timedelta(days=days) + timedelta(microseconds=microseconds)


Outcome = tuple[Any, Any]
EXPERIMENTS: dict[str, Callable[[Path], Outcome]] = {}  # by the name of the fault
ONE = {"event": days_ago(3), "x": 1}
TWO = {"event": days_ago(2), "x": 2}


def shows(*names: str) -> Callable[[Callable[[Path], Outcome]], Callable[[Path], Outcome]]:
    """Declare the faults that an experiment shows."""

    def declare(experiment: Callable[[Path], Outcome]) -> Callable[[Path], Outcome]:
        EXPERIMENTS.update(dict.fromkeys(names, experiment))
        return experiment

    return declare


class Repository:
    """One feature view, ``view``, of the rows of a Parquet file, and what plain Feast answers about it.

    Parameters
    ----------
    folder
        An empty folder.
    rows
        Rows with the columns of the key, ``event``, ``created`` and the features.
    types
        Feast's type of each feature. Default: one integer, ``x``.
    keys
        The columns of the key.
    ttl
        How long values live; None: forever.
    """

    def __init__(
        self,
        folder: Path,
        rows: pl.DataFrame,
        *,
        types: dict[str, Any] | None = None,
        keys: Sequence[str] = ("k",),
        ttl: timedelta | None = None,
    ) -> None:
        self.folder = folder
        self.keys = tuple(keys)
        self.types = types or {"x": Int64}
        self.ttl = ttl
        config = RepoConfig(
            project="faults",
            provider="local",
            registry=str(folder / "registry.db"),
            offline_store={"type": "dask"},
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            entity_key_serialization_version=3,
        )
        self.store = FeatureStore(config=config)
        self.path = folder / "view.parquet"
        self.write(rows)
        kinds = {pl.Int64: ValueType.INT64, pl.String: ValueType.STRING}
        self.entities = [
            Entity(name=key, join_keys=[key], value_type=kinds[type(rows.schema[key])]) for key in self.keys
        ]
        self.view = self.view_of("view", self.path)
        self.store.apply([*self.entities, self.view])

    def write(self, rows: pl.DataFrame) -> None:
        """Write the file of the view, as a pipeline outside Feast does."""
        rows.with_columns(pl.col("event", "created").cast(UTC_MICROSECONDS)).write_parquet(self.path)

    def view_of(self, name: str, path: Path, types: dict[str, Any] | None = None) -> FeatureView:
        """Define a feature view of a file."""
        source = FileSource(path=str(path), timestamp_field="event", created_timestamp_column="created")
        return FeatureView(
            name=name,
            entities=self.entities,
            schema=[Field(name=n, dtype=t) for n, t in (types or self.types).items()],
            source=source,
            ttl=self.ttl,
        )

    def materialize(self, end: datetime = NOW) -> None:
        """Write to the online store what Feast takes as known up to a time."""
        self.store.materialize(START, end, disable_event_timestamp=False)

    def references(self) -> list[str]:
        """Name the features of the view."""
        return [f"view:{name}" for name in self.types]

    def online(self, *key: Any, features: Sequence[str] = ()) -> list[Any]:
        """Look up the features of one key."""
        entity_row = dict(zip(self.keys, key, strict=True))
        answer = self.store.get_online_features(list(features or self.references()), [entity_row]).to_dict()
        return [answer[name.partition(":")[2]][0] for name in (features or self.references())]

    def status(self, *key: Any) -> str:
        """Return the status of the first feature of one key."""
        entity_row = dict(zip(self.keys, key, strict=True))
        response = self.store.get_online_features(self.references(), [entity_row])
        column = len(self.keys)
        return str(response.proto.results[column].statuses[0])

    def history(self, *key: Any, at: datetime = NOW, features: Sequence[str] = ()) -> list[Any]:
        """Return the features of one key as Feast says that they were at a time, as a user's data frame has them."""
        entity_rows = pd.DataFrame([{**dict(zip(self.keys, key, strict=True)), "event_timestamp": at}])
        frame = self.store.get_historical_features(entity_rows, list(features or self.references())).to_df()
        names = [name.partition(":")[2] for name in (features or self.references())]
        # Feast leaves out entity rows of which it knows nothing.
        return [_plain(frame[name].iloc[0]) if len(frame) else None for name in names]

    def histories(self, keys: Sequence[Any]) -> list[Any]:
        """Return the first feature of several keys now, in one training set."""
        entity_rows = pd.DataFrame({self.keys[0]: list(keys), "event_timestamp": [NOW] * len(keys)})
        frame = self.store.get_historical_features(entity_rows, self.references()[:1]).to_df()
        values = dict(zip(frame[self.keys[0]], frame[next(iter(self.types))], strict=True))
        return [_plain(values[key]) for key in keys]

    def through_service(
        self, features: list[Any], entity_row: dict[str, Any], *, full_names: bool = False
    ) -> list[Any]:
        """Return the features of one row through a feature service."""
        service = FeatureService(name="service", features=features)
        self.store.apply(
            [*self.entities, *(f for f in features if f.name == f.projection.name_to_use()), service]
        )
        registered = self.store.get_feature_service("service")
        answer = self.store.get_online_features(
            registered, [entity_row], full_feature_names=full_names
        ).to_dict()
        return [values[0] for name, values in answer.items() if name not in entity_row]

    def json(self, entity_rows: list[dict[str, Any]]) -> list[Any]:
        """Return the first feature as Feast's feature server sends it."""
        response = self.store.get_online_features(self.references()[:1], entity_rows)
        sent = json.loads(json.dumps(convert_response_to_dict(response.proto)))
        return list(sent["results"][len(self.keys)]["values"])

    def push(self, to: PushMode = PushMode.ONLINE_AND_OFFLINE, **values: Any) -> None:
        """Push one row; the first push makes the source."""
        source = PushSource(name="pushed", batch_source=self.view.batch_source)
        view = FeatureView(
            name="view", entities=self.entities, schema=self.view.schema, source=source, ttl=self.ttl
        )
        self.store.apply([*self.entities, source, view])
        self.store.push("pushed", pd.DataFrame([values]), to=to)

    def write_online(self, **values: Any) -> None:
        """Write one row to the online store."""
        self.store.write_to_online_store("view", pd.DataFrame([values]))

    def sql(self, statement: str, *, table: str = "faults_view") -> None:
        """Run a statement on the file of the online store."""
        with sqlite3.connect(self.folder / "online.db") as connection:
            connection.executescript(statement.format(table=table))
        connection.close()

    def computed(self, view: OnDemandFeatureView, rows: list[dict[str, Any]]) -> list[Any]:
        """Apply an on-demand view, and look up its feature ``y`` for rows of keys and request values."""
        self.store.apply([*self.entities, self.view, view])
        self.store.refresh_registry()
        return list(self.store.get_online_features([f"{view.name}:y"], rows).to_dict()["y"])


def _plain(value: Any) -> Any:
    """Return a cell of a pandas frame as a Python value; missing values are None."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return None if value is pd.NaT or (isinstance(value, float) and value != value) else value  # noqa: PLR0124
