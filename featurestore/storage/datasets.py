"""Where the rows of sources, datasets and feature views are, which command builds them, and how to scan them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.source import Source
from featurestore.storage.files import require_parquet
from featurestore.storage.made_by import require_made_by
from featurestore.storage.parquet import scan_files
from featurestore.storage.views import scan_view

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from featurestore.definitions.catalog import Node
    from featurestore.storage.layout import Layout


def dataset_path(node: Node, layout: Layout) -> Path:
    """Return the path of the Parquet file that holds the rows of a dataset."""
    return layout.features(node.name) if isinstance(node, FeatureView) else layout.dataset(node.name)


def build_command(node: Node) -> str:
    """Return the command that builds a dataset, for hints in messages."""
    return f"featurestore {'validate' if isinstance(node, Source) else 'build'} {node.name}"


def scan_dataset(node: Node, layout: Layout, *, any_definition: bool = False) -> pl.LazyFrame:
    """Scan the rows of a dataset.

    Parameters
    ----------
    any_definition
        True: also scan rows that another definition of the dataset made, to look at them and to compute nothing.

    Raises
    ------
    MissingDataError
        If the dataset is not built yet.
    SkewError
        If another definition of the dataset made the rows.
    """
    if isinstance(node, FeatureView):
        return scan_view(node, layout, any_definition=any_definition)
    path = require_parquet(dataset_path(node, layout), made_by=build_command(node))
    return scan_files(path if any_definition else require_made_by(node, path))


def require_same_definition(node: Node, layout: Layout) -> None:
    """Refuse the rows of a dataset if another definition of it made them. A dataset that is not built yet passes.

    Raises
    ------
    SkewError
        If another definition made the rows.
    """
    path = dataset_path(node, layout)
    if path.exists():
        require_made_by(node, path)


def corrections_path(source: Source) -> Path:
    """Return the path of a source's corrections: a CSV file beside the source's definition."""
    return source.defined_in.parent / "corrections" / f"{source.name}.csv"
