"""Ray as the compute engine: the same Polars code joins and transforms parts on many machines."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.adapters.polars import MIB, Join, answer, join_spans
from featurestore.config import load_settings
from featurestore.definitions.call import run
from featurestore.definitions.catalog import load_catalog
from featurestore.definitions.feature_view import FeatureView
from featurestore.errors import FeatureStoreError, StoreError, package_needed_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from featurestore.definitions.catalog import Derived
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.ports import ViewRows

with package_needed_by("the engine Ray", extra="ray"):
    import ray


@dataclass(frozen=True)
class RayEngine:
    """A compute engine on a Ray cluster. Its results equal the local ones, to the last bit.

    Every machine must be able to read the files under the same paths. Entity rows (key, time,
    number) are sent to each machine once. If a worker dies, another worker repeats its task.

    Attributes
    ----------
    address
        Address of the cluster. None: start a cluster on this machine.
    span_bytes
        Bytes of a file that one task reads, uncompressed.
    answer
        The function that a task of a join runs.
    root
        The project's folder, the same on every machine. None: transformations run in this process.
    """

    address: str | None = None
    span_bytes: int = 128 * MIB
    answer: Callable[[pl.DataFrame, Join], pl.DataFrame] = answer
    root: Path | None = None

    def transform(self, derived: Derived | TrainingSet, inputs: Sequence[pl.LazyFrame]) -> pl.DataFrame:
        """Run the function of a definition over its inputs.

        A view with ``by_key`` runs in parts, by the hash of its key.
        """
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
        """Join the answers of each view to entity rows, in the order of the rows."""
        _connect(self.address)
        return join_spans(entity_rows, views, self.span_bytes, self._on_cluster)

    def _on_cluster(self, questions: pl.DataFrame, joins: Sequence[Join]) -> Iterable[pl.DataFrame]:
        shared = ray.put(questions)
        task = ray.remote(self.answer).options(max_retries=3)
        return _awaited([task.remote(shared, join) for join in joins])


def transform_part(
    root: Path, view: str, inputs: Sequence[pl.LazyFrame], part: int, parts: int
) -> pl.DataFrame:
    """Run the function of a view over the input rows of some of its keys: one part of `parts`."""
    settings = load_settings(root)
    catalog = load_catalog(settings.root, settings.definitions)
    definition = catalog.view(view)
    in_part = pl.struct(definition.keys).hash(0) % parts == part
    return run(view, definition.function, *(rows.filter(in_part) for rows in inputs))


def _awaited(answers: Sequence[Any]) -> Iterator[pl.DataFrame]:
    try:
        for answer in answers:
            yield ray.get(answer)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, FeatureStoreError):
            raise error.cause from error
        raise StoreError(
            f"Ray: a task fails: {error.cause}",
            hint="the log of the worker has the traceback; without Ray, the same command shows the error on this machine",
        ) from error
    except ray.exceptions.RayError as error:
        raise StoreError(f"Ray: {error}", hint="check the cluster, then try again", retry=True) from error


def _connect(address: str | None) -> None:
    if ray.is_initialized():
        return
    try:
        ray.init(
            address=address,
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
            # Ray assigns processors to tasks; without this limit Polars uses all of them in each task.
            runtime_env={"env_vars": {"POLARS_MAX_THREADS": "1"}},
        )
    except (ConnectionError, ray.exceptions.RayError) as error:
        raise StoreError(f"Ray at {address!r}: {error}", hint="start the cluster", retry=True) from error
