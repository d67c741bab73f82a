"""Reproducible: build each definition twice, from shuffled rows and on other threads, and compare every bit."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from featurestore.adapters.polars import PolarsEngine
from featurestore.config import load_settings
from featurestore.definitions.catalog import KINDS, load_catalog
from featurestore.definitions.feature_service import TrainingSet
from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.perturbed import in_chunks, perturbed_execution
from featurestore.definitions.source import Source
from featurestore.errors import (
    DefinitionError,
    Difference,
    FeatureStoreError,
    NotReproducibleError,
    StoreError,
    UnknownNameError,
)
from featurestore.operations.build.inputs import in_total_order, inputs_of
from featurestore.storage.fingerprint import fingerprint
from featurestore.storage.layout import Layout
from featurestore.storage.parquet import read_files
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.version import version_columns
from featurestore.values.wording import PERSONAL, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from featurestore.definitions.catalog import Catalog, Derived, Node
    from featurestore.workspace import Workspace

_FAILED = "failed.pickle"
_THREADS = 3
_ROUNDING = 1e-12
# The streaming engine splits few rows among threads, too.
_SMALL_PARTS = {"POLARS_IDEAL_MORSEL_SIZE": "16"}


def check_reproducible(workspace: Workspace, names: Iterable[str] = ()) -> tuple[str, ...]:
    """Build definitions twice and compare the results; returns the names of the definitions.

    One build runs in this process, the other in a new process with another number of threads. Each
    has the rows of the sources in an order of its own and all inputs in chunks of its own. Nothing
    that is built already changes.

    Parameters
    ----------
    workspace
        The project.
    names
        Datasets, feature views and training sets; all of them, if none are given.

    Raises
    ------
    NotReproducibleError
        If two builds differ. Carries the first difference of each definition.
    MissingDataError
        If an input is not built yet.
    DefinitionError
        If a function fails, or a name is that of a source.
    StoreError
        If a process ends without a result.
    """
    catalog = workspace.catalog
    chosen = [_definition(catalog, name) for name in names] or [
        *catalog.build_order(),
        *catalog.training_sets.values(),
    ]
    names = [definition.name for definition in chosen]
    differences = []
    with tempfile.TemporaryDirectory() as folder:
        builds = [Path(folder, "here"), Path(folder, "there")]
        for target in builds:
            target.mkdir()
        build_shuffled(catalog, workspace.layout, names, builds[0], seed=1)
        _in_process(workspace, names, builds[1], seed=2)
        for definition in chosen:
            first, second = (read_files(_file(target, definition.name)) for target in builds)
            if difference := _difference(definition, first, second):
                differences.append(difference)
    if differences:
        raise NotReproducibleError(differences)
    return tuple(definition.name for definition in chosen)


def build_shuffled(catalog: Catalog, layout: Layout, names: Sequence[str], target: Path, seed: int) -> None:
    """Run the functions of definitions on shuffled rows, and write the results to a folder as Parquet.

    The rows of sources are shuffled, inputs are cut into chunks, and verbs return any order that Polars allows
    (`featurestore.definitions.perturbed`).
    """
    for name in names:
        definition = _definition(catalog, name)
        inputs = inputs_of(definition, catalog, layout, prepare=lambda n, rows: _shuffled(n, rows, seed))
        cut = [in_chunks(rows.collect(), seed).lazy() for rows in inputs]
        with perturbed_execution(seed):
            rows = PolarsEngine().transform(definition, cut)
        _in_build_order(definition, rows).write_parquet(_file(target, name))


def _definition(catalog: Catalog, name: str) -> Derived | TrainingSet:
    if name in catalog.sources:
        raise DefinitionError(f"{name!r} is a source", hint="name what a function computes from it")
    functions: dict[str, Derived | TrainingSet] = {
        **catalog.datasets,
        **catalog.views,
        **catalog.training_sets,
    }
    if name not in functions:
        raise UnknownNameError("dataset, feature view or training set", name, functions)
    return functions[name]


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.parquet"


def _in_process(workspace: Workspace, names: Sequence[str], target: Path, seed: int) -> None:
    arguments = [str(workspace.root), str(workspace.layout.data), str(target), str(seed), *names]
    threads = "2" if pl.thread_pool_size() == _THREADS else str(_THREADS)
    finished = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", __name__, *arguments],
        env=os.environ | _SMALL_PARTS | {"POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        failed = target / _FAILED
        if failed.exists():
            raise pickle.loads(failed.read_bytes())  # noqa: S301 - our own process wrote it
        raise StoreError(
            f"a build of {', '.join(names)} ends with {finished.returncode}: {finished.stderr.strip()[-500:]}",
            hint="run `featurestore build` for each of them",
        )


def _shuffled(node: Node, rows: pl.LazyFrame, seed: int) -> pl.LazyFrame:
    if not isinstance(node, Source):
        return rows
    return rows.collect().sample(fraction=1, shuffle=True, seed=seed).lazy()


def _in_build_order(definition: Derived | TrainingSet, rows: pl.DataFrame) -> pl.DataFrame:
    """Sort rows as the build does."""
    key = definition.contract.key
    if isinstance(definition, TrainingSet):
        first = [EVENT_TIMESTAMP] if EVENT_TIMESTAMP in rows.columns else []
        return in_total_order(rows.lazy(), definition.contract, first).collect()
    if isinstance(definition, FeatureView):
        version = (*definition.keys, *version_columns(definition.timing))
        key = (*version, *(name for name in rows.columns if name not in version))
    return rows.sort(key, maintain_order=True) if key and set(key) <= set(rows.columns) else rows


def _difference(
    definition: Derived | TrainingSet, first: pl.DataFrame, second: pl.DataFrame
) -> Difference | None:
    """Return the first difference of two builds, by their bits."""
    kind = KINDS[type(definition)]
    if first.schema != second.schema or first.height != second.height:
        sizes = [
            f"{counted(frame.height, 'row')}, {counted(frame.width, 'column')}" for frame in (first, second)
        ]
        return Difference(kind, definition.name, None, None, sizes[0], sizes[1])
    for column in first.columns:
        a, b = first.select(column), second.select(column)
        if fingerprint(a) == fingerprint(b):
            continue
        equal, unequal = 0, first.height
        # The first `equal` rows are equal; among the first `unequal` rows one differs.
        while unequal - equal > 1:
            middle = (equal + unequal) // 2
            if fingerprint(a[:middle]) == fingerprint(b[:middle]):
                equal = middle
            else:
                unequal = middle
        personal = column in definition.contract and definition.contract[column].personal
        values = [frame.item(equal, 0) for frame in (a, b)]
        first_text, second_text = (PERSONAL if personal else repr(value) for value in values)
        is_rounding = _are_close(*values)
        return Difference(kind, definition.name, column, equal, first_text, second_text, is_rounding)
    return None


def _are_close(first: object, second: object) -> bool:
    return (
        isinstance(first, float)
        and isinstance(second, float)
        and math.isclose(first, second, rel_tol=_ROUNDING)
    )


if __name__ == "__main__":
    project, data_folder, results, number, *definitions = sys.argv[1:]
    try:
        settings = load_settings(Path(project))
        loaded = load_catalog(settings.root, settings.definitions)
        build_shuffled(loaded, Layout(Path(data_folder)), definitions, Path(results), int(number))
    except FeatureStoreError as error:
        Path(results, _FAILED).write_bytes(pickle.dumps(error))
        sys.exit(error.exit_code)
