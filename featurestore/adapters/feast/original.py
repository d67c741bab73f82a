"""What Feast answers for a repository: its own joins and lookups, with a registry and a store of their own."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import polars as pl
import pyarrow as pa
from feast import FeatureStore
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.repo_config import RepoConfig

from featurestore.adapters.feast.repository import quiet
from featurestore.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.adapters.feast.repository import FeastRepository

SECOND = timedelta(seconds=1)
WHOLE_ERROR = "the same call of Feast's SDK, in the folder of its repository, shows the whole error"


class FeastOriginal:
    """Feast on a repository. The registry and the online store are in a temporary folder.

    Parameters
    ----------
    repository
        The repository, which stays as it is.

    Attributes
    ----------
    reads_delta
        Whether Feast's offline store of the repository reads Delta tables.
    """

    def __init__(self, repository: FeastRepository) -> None:
        self._repository = repository
        self._registered: set[str] = set()
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        offline = getattr(repository.config.offline_store, "type", "file")
        self.reads_delta = offline == "duckdb"
        with quiet():
            self._store = FeatureStore(
                config=RepoConfig(
                    project=repository.config.project,
                    provider="local",
                    registry=str(folder / "registry.db"),
                    online_store={"type": "sqlite", "path": str(folder / "online.db")},
                    offline_store={"type": "duckdb" if offline == "duckdb" else "file"},
                    entity_key_serialization_version=repository.config.entity_key_serialization_version,
                    repo_path=repository.folder,
                )
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def register(self, *views: str) -> None:
        """Register views and the entities.

        Raises
        ------
        StoreError
            If Feast fails.
        """
        if self._registered.issuperset(views):
            return
        objects = [
            o
            for o in self._repository.objects
            if type(o).__name__ == "Entity" or o.name in {*views, *self._registered}
        ]
        try:
            with quiet():
                self._store.apply(objects)
            self._registered.update(views)
        except Exception as error:  # Feast raises what it raises
            raise StoreError(
                f"Feast cannot register {', '.join(views)}: {_first_line(error)}", hint=WHOLE_ERROR
            ) from error

    def historical(self, rows: pl.DataFrame, references: Sequence[str]) -> pl.DataFrame:
        """Join features, such as ``"view:feature"``, to entity rows; returns them in the order of the rows.

        Raises
        ------
        StoreError
            If Feast fails.
        """
        number = "row_number"
        features = [reference.partition(":")[2] for reference in references]
        try:
            with quiet():
                frame = rows.with_row_index(number).to_pandas()
                answers = self._store.get_historical_features(frame, list(references)).to_df()
                table = pa.Table.from_pandas(answers, preserve_index=False)
        except Exception as error:  # as above
            raise StoreError(
                f"Feast cannot join {', '.join(references)}: {_first_line(error)}", hint=WHOLE_ERROR
            ) from error
        joined = pl.DataFrame(pl.from_arrow(table)).select(pl.col(number).cast(pl.Int64), *features)
        numbers = pl.DataFrame({number: range(rows.height)}, schema={number: pl.Int64})
        return numbers.join(joined, on=number, how="left", maintain_order="left").drop(number)

    def online(
        self, keys: pl.DataFrame, view: str, features: tuple[str, ...], *, start: datetime, end: datetime
    ) -> pl.DataFrame:
        """Materialize the rows of a view between two timestamps, and look up features.

        Raises
        ------
        StoreError
            If Feast fails.
        """
        references = [f"{view}:{feature}" for feature in features]
        rows = keys.to_dicts() if keys.width else [{DUMMY_ENTITY_ID: DUMMY_ENTITY_VAL}] * keys.height
        try:
            with quiet():
                self._store.materialize(start - SECOND, end, [view])
                answers = self._store.get_online_features(references, rows).to_dict()
        except Exception as error:  # as above
            raise StoreError(
                f"Feast cannot look up view {view!r}: {_first_line(error)}", hint=WHOLE_ERROR
            ) from error
        return pl.DataFrame({name: _series(name, answers[name]) for name in features})


def _series(name: str, values: list[Any]) -> pl.Series:
    return pl.Series(name, values, strict=False)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
