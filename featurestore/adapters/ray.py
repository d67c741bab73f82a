"""Ray as the compute engine: joins and transformations in parts, on many machines, by the same Polars code."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.adapters.polars import MIB, SpanJoin, answer, join_spans
from featurestore.config import load_settings
from featurestore.definitions.call import run
from featurestore.definitions.catalog import load_catalog
from featurestore.definitions.feature_view import FeatureView
from featurestore.errors import ConfigError, FeatureStoreError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from featurestore.definitions.catalog import Derived
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.ports import ViewRows

try:
    import ray
except ImportError as error:
    raise ConfigError(
        "the engine is ray, and Ray is not installed", hint="pip install 'featurestore[ray]'"
    ) from error


@dataclass(frozen=True)
class RayEngine:
    """Joins and transforms on a Ray cluster; the result is the local one, to the last bit.

    The files must be readable under the same path on every machine. Entity rows (key, moment, number) go to each machine
    once; a span whose worker dies is answered by another.

    Attributes
    ----------
    address
        Of the cluster; None: one is started on this machine.
    span_bytes
        How much of a file one task reads, uncompressed.
    answer
        What a task of a join does.
    root
        The project's folder, the same on every machine; None: transformations run here.
    """

    address: str | None = None
    span_bytes: int = 128 * MIB
    answer: Callable[[pl.DataFrame, SpanJoin], pl.DataFrame] = answer

    root: Path | None = None

    def transform(self, derived: Derived | TrainingSet, inputs: Sequence[pl.LazyFrame]) -> pl.DataFrame:
        """Run a definition's function over its inputs: a view declared ``by_key`` in parts, by the hash of its key."""
        if not isinstance(derived, FeatureView) or not derived.by_key or self.root is None:
            return run(derived.name, derived.function, *inputs)
        _connect(self.address)
        parts = int(ray.cluster_resources().get("CPU", 1))
        task = ray.remote(transform_part).options(max_retries=3)
        frames = _awaited(
            [task.remote(self.root, derived.name, list(inputs), n, parts) for n in range(parts)]
        )
        return pl.concat(frames)

    def historical(self, entity_rows: pl.DataFrame, views: Sequence[ViewRows]) -> pl.DataFrame:
        """Join to entity rows, in their order, what each view answers."""
        _connect(self.address)
        return join_spans(entity_rows, views, self.span_bytes, self._on_cluster)

    def _on_cluster(self, asked: pl.DataFrame, work: Sequence[SpanJoin]) -> Iterable[pl.DataFrame]:
        shared = ray.put(asked)
        task = ray.remote(self.answer).options(max_retries=3)
        return _awaited([task.remote(shared, piece) for piece in work])


def transform_part(
    root: Path, view: str, inputs: Sequence[pl.LazyFrame], part: int, parts: int
) -> pl.DataFrame:
    """Run a view's function over the input rows of some of its keys, on whatever machine this is."""
    settings = load_settings(root)
    catalog = load_catalog(settings.root, settings.definitions)
    found = catalog.view(view)
    ours = pl.struct(found.keys).hash(0) % parts == part
    return run(view, found.function, *(rows.filter(ours) for rows in inputs))


def _awaited(answers: Sequence[Any]) -> Iterator[pl.DataFrame]:
    try:
        for found in answers:
            yield ray.get(found)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, FeatureStoreError):
            raise error.cause from error
        raise StoreError(f"Ray: a task fails: {error.cause}") from error
    except ray.exceptions.RayError as error:
        raise StoreError(f"Ray: {error}", hint="look at the cluster, then try again", retry=True) from error


def _connect(address: str | None) -> None:
    if ray.is_initialized():
        return
    try:
        ray.init(
            address=address,
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
            # Ray counts processors, and Polars would take all it finds for each task.
            runtime_env={"env_vars": {"POLARS_MAX_THREADS": "1"}},
        )
    except (ConnectionError, ray.exceptions.RayError) as error:
        raise StoreError(f"Ray at {address!r}: {error}", hint="start the cluster", retry=True) from error
