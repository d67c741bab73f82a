"""The project of a Feast configuration: its settings and definitions, which are loaded once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.config import Settings, load_settings
from featurestore.definitions.catalog import Catalog, load_catalog
from featurestore.errors import ContractError
from featurestore.quality.gate.row_gate import refuse, row_gate
from featurestore.vectors.complete import compute

if TYPE_CHECKING:
    from featurestore.definitions.feature_view import FeatureView


_LOADING = RLock()


@dataclass(frozen=True)
class Context:
    """The settings and definitions that Feast's stores need."""

    settings: Settings
    catalog: Catalog

    def view(self, name: str) -> FeatureView:
        """Find the definition of a Feast feature view."""
        return self.catalog.view(name)


def context_of(feast_repo: Path | None) -> Context:
    """Load the project of `feast_repo`, the folder of feature_store.yaml."""
    # Requests come in threads: the first one loads the project, and the others wait for it.
    with _LOADING:
        return _load((feast_repo or Path()).resolve())


@cache
def _load(feast_repo: Path) -> Context:
    settings = load_settings(feast_repo.parent)
    return Context(settings, load_catalog(settings.root, settings.definitions))


def compute_on_demand(feast_repo: str, name: str, inputs: dict[str, Any]) -> dict[str, list[Any]]:
    """Compute an on-demand view for Feast.

    Parameters
    ----------
    feast_repo
        Folder of feature_store.yaml.
    name
        Name of the on-demand view.
    inputs
        The values of each input column.

    Returns
    -------
    dict
        The values of each feature.
    """
    view = context_of(Path(feast_repo)).catalog.on_demand[name]
    columns = []
    for column, dtype in view.input_schema.items():
        if column not in inputs:
            raise ContractError(f"on-demand view {name!r}: the request lacks {column!r}")
        values = pl.Series(column, list(inputs[column]), strict=False)
        if dtype.is_temporal() and values.dtype.is_integer():
            values = pl.from_epoch(values, "s").dt.replace_time_zone("UTC")  # Feast's wire has seconds
        columns.append(values.cast(dtype))
    rows = pl.DataFrame(columns)
    refuse([row_gate(view.request).breaches_in(rows.select(view.request.schema.names()))])
    return compute(view, rows).to_dict(as_series=False)
