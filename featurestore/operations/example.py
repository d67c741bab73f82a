"""Example: a row of a training set, to be looked up online."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import DefinitionError
from featurestore.storage.files import scan_required
from featurestore.timing.columns import EVENT_TIMESTAMP

if TYPE_CHECKING:
    from featurestore.workspace import Workspace


def example(workspace: Workspace, service: str) -> pl.DataFrame:
    """Return the keys and request values of the last complete row of a service's training set, up to the current time.

    A service that needs neither keys nor request values has a row without columns as its example.

    Raises
    ------
    DefinitionError
        If the service has no training set.
    MissingDataError
        If the training set is not built yet.
    """
    definition = workspace.service(service)
    columns = [*definition.key_schema, *definition.request_schema]
    if not columns:
        return pl.DataFrame(height=1)
    for training in workspace.catalog.training_sets.values():
        if training.service.name == definition.name:
            rows = scan_required(
                workspace.layout.training(training.name),
                made_by=f"featurestore training-set {training.name}",
            )
            past = rows.filter(pl.col(EVENT_TIMESTAMP) <= workspace.now())
            return past.select(columns).drop_nulls().tail(1).collect()
    raise DefinitionError(
        f"service {service!r} has no training set to take an example from",
        hint=f"give the keys as name=value: {' '.join(f'{name}=...' for name in definition.key_schema)}",
    )
