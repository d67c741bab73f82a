"""Whether validation and test look like what is served: drift of each to the vectors of the last days."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.errors import MissingDataError
from featurestore.operations.drift import drift_between
from featurestore.operations.read.locate import SERVED, located
from featurestore.quality.profile.profile import profile
from featurestore.splits.declare import TRAIN
from featurestore.storage.files import require_parquet
from featurestore.timing.columns import EVENT_TIMESTAMP

if TYPE_CHECKING:
    from featurestore.quality.change.drift import Drift
    from featurestore.workspace import Workspace

SERVED_DAYS: Final = 7


def split_drift(workspace: Workspace, name: str) -> dict[str, Drift]:
    """Compare validation and test of a training set with the vectors that its service answered in the last 7 days.

    The last days are those before the newest answer in the log.

    Returns
    -------
    dict[str, Drift]
        The drift by split. Empty: the training set declares no split, or no answer of this definition was logged.

    Raises
    ------
    MissingDataError
        If the training set is not built, or the steps of its service are not fitted.
    """
    training = workspace.catalog.training_set(name)
    splits = [split for split in training.split[0].names if split != TRAIN] if training.split else []
    require_parquet(workspace.layout.training(name), made_by=f"featurestore training-set {name}")
    if not splits:
        return {}
    workspace.fitted(training.service)
    with ExitStack() as stack:
        try:
            (served,) = stack.enter_context(located(workspace, f"{SERVED}{training.service.name}"))
        except MissingDataError:
            # Nothing of this definition was served yet: there is nothing to compare with.
            return {}
        newest = served.rows.select(pl.col(EVENT_TIMESTAMP).max()).collect().item()
        rows = served.rows.filter(pl.col(EVENT_TIMESTAMP) > newest - timedelta(days=SERVED_DAYS))
        read_profile = partial(profile, rows, dataset=served.name, contract=served.contract)
        recent = replace(served, rows=rows, read_profile=read_profile)
        references = [f"{name}:{split}" for split in splits]
        parts = stack.enter_context(located(workspace, *references, after_steps=True))
        return {split: drift_between(part, recent) for split, part in zip(splits, parts, strict=True)}
