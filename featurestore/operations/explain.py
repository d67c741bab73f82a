"""Explain: show which stored row gives one entity row its features."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from featurestore.adapters.entity_rows import EntityRows
from featurestore.operations.historical import require_current, tables
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors import explain as vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.workspace import Workspace


def explain(
    workspace: Workspace, entity_row: Any, features: str | Sequence[str] | FeatureService
) -> dict[str, pl.DataFrame]:
    """Show, for each view, which stored row gives one entity row its features, and why the others do not.

    See `featurestore.vectors.explain.explain`.

    Raises
    ------
    ContractError
        If there is not exactly one entity row, or it cannot be used.
    MissingDataError
        If a view is not built yet.
    SkewError
        If another definition made a view, or a dataset that the SQL reads.
    """
    # Stored rows answer the features as they are joined, whether or not the steps of the service are fitted.
    service = workspace.catalog.requested(features).joined
    schema = {**service.key_schema, **service.request_schema, EVENT_TIMESTAMP: UTC_MICROSECONDS}
    row = EntityRows(entity_row, schema, tables(workspace), partial(require_current, workspace)).frame()
    return vectors.explain(row, service, workspace.rows_of(service))
