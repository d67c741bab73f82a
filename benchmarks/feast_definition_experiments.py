"""Experiments with plain Feast: definitions that were edited, on-demand views, and training files.

Each takes an empty folder, and returns what Feast answers and what is right.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
from feast import FeatureService, FeatureStore
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.types import Int32
from feast_repository import NOW, ONE, TWO, Outcome, Repository, rows_of, shows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ON_DEMAND = """
import pandas as pd
from feast import Field, RequestSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64

request = RequestSource(name="request", schema=[Field(name="basket", dtype=Float64)])


@on_demand_feature_view(sources=[request], schema=[Field(name="y", dtype=Float64)])
def computed(inputs: pd.DataFrame) -> pd.DataFrame:
    # Feast keeps the text of the function alone: what it imports, it imports inside.
    import random
    import time

    from feast_helper import worth

    basket = inputs["basket"]
    return pd.DataFrame({{"y": {expression}}})
"""
ASKED = [{"k": 1, "basket": 1.0}, {"k": 1, "basket": 3.0}]


def _computed(folder: Path, expression: str, *, helper: str = "value") -> Repository:
    """Make a repository with an on-demand view, as a project of several modules defines it."""
    repository = Repository(folder, rows_of(ONE))
    (folder / "feast_on_demand.py").write_text(ON_DEMAND.format(expression=expression))
    with _helper(folder, helper):
        view = importlib.import_module("feast_on_demand").computed
        repository.store.apply([*repository.entities, repository.view, view])
    return repository


@contextmanager
def _helper(folder: Path, expression: str) -> Iterator[None]:
    """Let the modules in a folder be imported, with a helper of this text, as a process that starts does."""
    (folder / "feast_helper.py").write_text(f"def worth(value):\n    return {expression}\n")
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in ("feast_on_demand", "feast_helper"):
            sys.modules.pop(name, None)


def _ask(repository: Repository, helper: str = "value", rows: list[dict[str, Any]] = ASKED) -> list[Any]:
    """Look up the on-demand feature in a store of a new process."""
    with _helper(repository.folder, helper):
        store = FeatureStore(config=repository.store.config)
        return list(store.get_online_features(["computed:y"], rows).to_dict()["y"])


@shows("a helper edited, training set kept", "a helper edited, features kept")
def _edited_helper(folder: Path) -> Outcome:
    repository = _computed(folder, "worth(basket)")
    return _ask(repository, "value * 1000.0"), _ask(repository)


@shows(
    "an on-demand view reads other rows",
    "an on-demand view hides that it reads other rows",
    "on-demand features of the first row for all rows",
)
def _other_rows(folder: Path) -> Outcome:
    repository = _computed(folder, "basket - basket.mean()")
    return _ask(repository), [_ask(repository, rows=[row])[0] for row in ASKED]


@shows("a feature that reads the clock")
def _clock(folder: Path) -> Outcome:
    repository = _computed(folder, "basket * 0 + time.perf_counter()")
    return _ask(repository), _ask(repository)


@shows("a sample without a seed")
def _random(folder: Path) -> Outcome:
    repository = _computed(folder, "basket * random.random()")
    return _ask(repository), _ask(repository)


@shows("a request value rounded by the server", "on-demand features in a shorter float")
def _request_value(folder: Path) -> Outcome:
    repository = _computed(folder, "basket")
    value = 0.1 + 0.2
    return _ask(repository, rows=[{"k": 1, "basket": value}]), [value]


@shows(
    "features not built again after an edit",
    "store not written again after an edit",
    "a column narrowed under its readers",
)
def _narrowed(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of({**ONE, "x": 2**40}))
    repository.materialize()
    repository.store.apply([repository.view_of("view", repository.path, {"x": Int32})])
    return repository.online(1), "a refusal"


@shows("a service removed")
def _service_removed(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE))
    service = FeatureService(name="buying", features=[repository.view])
    repository.store.apply([service])
    # What `feast apply` does with a definition that is gone from the files.
    repository.store.apply([repository.view], objects_to_delete=[service], partial=False)
    return [service.name for service in repository.store.list_feature_services()], ["buying"]


def _saved(repository: Repository) -> tuple[pd.DataFrame, Path]:
    path = repository.folder / "saved.parquet"
    entity_rows = pd.DataFrame({"k": [1, 2], "event_timestamp": [NOW, NOW], "label": [0, 1]})
    job = repository.store.get_historical_features(entity_rows, ["view:x"])
    repository.store.create_saved_dataset(job, "saved", SavedDatasetFileStorage(str(path)))
    return repository.store.get_saved_dataset("saved").to_df(), path


@shows(
    "an edited training file",
    "a label edited in a training file",
    "a training file that lost a row",
    "a training set made by code with a leak",
)
def _edited_training_file(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE, {**TWO, "k": 2}))
    before, path = _saved(repository)
    pl.read_parquet(path).with_columns(pl.col("x") + 1, pl.col("label") + 1).slice(1).write_parquet(path)
    return repository.store.get_saved_dataset("saved").to_df().to_dict(), before.to_dict()
