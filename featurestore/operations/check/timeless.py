"""Timeless: datasets without a timestamp, of which the proof for leaks must know whether they are static facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.known import Known, known_of_columns, known_of_rows
from featurestore.definitions.source import Source
from featurestore.storage.datasets import build_command, dataset_path
from featurestore.storage.files import require_parquet
from featurestore.storage.fingerprint import file_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from featurestore.definitions.catalog import Catalog, Node
    from featurestore.definitions.contract import Contract
    from featurestore.storage.layout import Layout
    from featurestore.workspace import Workspace

STATIC: Final = "static facts"
UNPROVEN: Final = "cannot be proven"


class Timeless(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of feature views and of fitted steps without a timestamp.

    Attributes
    ----------
    static
        Declared as facts that were known before the first row: ``"known": "always"``.
    unproven
        Nothing tells when their rows become known, so that no proof for leaks of what reads them is possible.
    """

    static: tuple[str, ...]
    unproven: tuple[str, ...]


def timeless(workspace: Workspace) -> Timeless:
    """Find the datasets without a timestamp at which feature views are cut, and those that steps are fitted to.

    Raises
    ------
    DefinitionError
        If a schema declares what cannot be read (`featurestore.definitions.known`).
    """
    catalog = workspace.catalog
    leaves = {node.name: node for view in catalog.views.values() for node in leaf_nodes(view, catalog)}
    leaves |= {
        table.name: table for service in catalog.services.values() for table in catalog.tables(service)
    }
    kinds = {
        name: kind_of(node.contract) for name, node in leaves.items() if not isinstance(node, FeatureView)
    }
    static, unproven = (
        tuple(name for name, node_kind in kinds.items() if node_kind == kind) for kind in (STATIC, UNPROVEN)
    )
    return Timeless(static=static, unproven=unproven)


def kind_of(contract: Contract) -> str | None:
    """Return `STATIC` or `UNPROVEN`; None: timestamps tell when its rows or columns become known."""
    of_rows = known_of_rows(contract)
    if of_rows is None:
        return UNPROVEN
    return STATIC if of_rows == Known() and not known_of_columns(contract) else None


def known_text(node: Node) -> str:
    """Describe when the rows of a dataset and its columns become known, as its schema declares it."""
    if isinstance(node, FeatureView):
        return str(node.timing)
    columns = [f"{name}: {known}" for name, known in known_of_columns(node.contract).items()]
    return "; ".join([f"rows: {known_of_rows(node.contract)}", *columns])


def digests_of(nodes: Iterable[Node], layout: Layout) -> dict[str, str]:
    """Return digests of the files of datasets, by name.

    Raises
    ------
    MissingDataError
        If a dataset is not built yet.
    """
    return {
        node.name: file_fingerprint(require_parquet(dataset_path(node, layout), made_by=build_command(node)))
        for node in nodes
    }


def leaf_nodes(view: FeatureView, catalog: Catalog) -> list[Node]:
    """List the first datasets upstream of a view that know when their rows become known, and sources that do not."""
    leaves: dict[str, Node] = {}

    def follow(nodes: Iterable[Node]) -> None:
        for node in nodes:
            if isinstance(node, Source | FeatureView) or known_of_rows(node.contract) is not None:
                leaves.setdefault(node.name, node)
            else:
                follow(catalog.inputs(node))

    follow(catalog.inputs(view))
    return list(leaves.values())
