"""Build datasets and feature views: run the function, let the result through the gate, keep it as Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.source import Source
from featurestore.operations.validate import settle
from featurestore.quality.gate.inspection import inspect
from featurestore.quality.gate.view_rows import inspect_view
from featurestore.quality.profile.documentation import require_documentation
from featurestore.quality.rules.expectations import NO_CONTEXT, ValidationContext
from featurestore.storage.files import scan_parquet
from featurestore.storage.views import scan_view

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from featurestore.definitions.catalog import Catalog, Derived, Node
    from featurestore.ports import ComputeEngine
    from featurestore.quality.gate.verdict import Verdict
    from featurestore.storage.layout import Layout


def path_of(node: Node, layout: Layout) -> Path:
    """Say where a dataset's rows lie."""
    return layout.features(node.name) if isinstance(node, FeatureView) else layout.dataset(node.name)


def made_by(node: Node) -> str:
    """Name the command that makes a dataset."""
    return f"featurestore {'validate' if isinstance(node, Source) else 'build'} {node.name}"


def scan(node: Node, layout: Layout) -> pl.LazyFrame:
    """Scan a dataset's rows.

    Raises
    ------
    MissingDataError
        If it is not built yet.
    """
    if isinstance(node, FeatureView):
        return scan_view(node, layout)
    return scan_parquet(path_of(node, layout), made_by=made_by(node))


def build(
    derived: Derived,
    catalog: Catalog,
    layout: Layout,
    engine: ComputeEngine,
    context: ValidationContext = NO_CONTEXT,
) -> Verdict:
    """Build one dataset or feature view from datasets already in place.

    The rows of a feature view are kept sorted by key, event and created timestamp, exact duplicates once; those of
    a dataset by what its schema declares unique (else in the order that its function gives), so that equal inputs
    give equal files.

    Raises
    ------
    MissingDataError
        If an input is not built yet.
    ContractError
        If the result is refused; the last good rows stay as they were.
    DefinitionError
        If the function fails, or a column does not say what it means or in what unit it is.
    """
    require_documentation(derived.contract, derived.name)
    rows = engine.transform(derived, [scan(node, layout) for node in catalog.inputs(derived)])
    if isinstance(derived, FeatureView):
        inspection = inspect_view(derived, rows.lazy(), context)
    else:
        key = derived.contract.key
        inspection = inspect(
            rows.sort(key) if key else rows, derived.contract, dataset=derived.name, context=context
        )
    return settle(inspection, derived.contract, layout, derived.name, path_of(derived, layout))
