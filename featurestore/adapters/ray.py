"""Ray as the compute engine: the spans of the views' files, answered on many machines by the same Polars code."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from featurestore.adapters.polars import MIB, SpanJoin, answer, join_spans
from featurestore.errors import ConfigError, FeatureStoreError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import polars as pl

    from featurestore.ports import ViewRows

try:
    import ray
except ImportError as error:
    raise ConfigError(
        "the engine is ray, and Ray is not installed", hint="pip install 'featurestore[ray]'"
    ) from error


@dataclass(frozen=True)
class RayEngine:
    """Joins on a Ray cluster; the result is the local one, to the last bit.

    The files must be readable under the same path on every machine. Entity rows (key, moment, number) go to each machine
    once; a span whose worker dies is answered by another.

    Attributes
    ----------
    address
        Of the cluster; None: one is started on this machine.
    span_bytes
        How much of a file one task reads, uncompressed.
    answer
        What a task does.
    """

    address: str | None = None
    span_bytes: int = 128 * MIB
    answer: Callable[[pl.DataFrame, SpanJoin], pl.DataFrame] = answer

    def historical(self, entity_rows: pl.DataFrame, views: Sequence[ViewRows]) -> pl.DataFrame:
        """Join to entity rows, in their order, what each view answers."""
        _connect(self.address)
        return join_spans(entity_rows, views, self.span_bytes, self._on_cluster)

    def _on_cluster(self, asked: pl.DataFrame, work: Sequence[SpanJoin]) -> Iterable[pl.DataFrame]:
        shared = ray.put(asked)
        task = ray.remote(self.answer).options(max_retries=3)
        return _awaited([task.remote(shared, piece) for piece in work])


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
