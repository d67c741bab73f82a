"""Overview: what a project defines, as the table that a notebook shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.definitions.catalog import KINDS
from featurestore.values.html_table import html_table
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from featurestore.workspace import Workspace


def overview(workspace: Workspace) -> str:
    """Return the definitions of a project as HTML: kind, name, columns, owner.

    Raises
    ------
    DefinitionError
        If the definitions cannot be loaded.
    """
    catalog = workspace.catalog
    rows: list[tuple[str, str, str, str]] = [
        (KINDS[type(node)], node.name, counted(len(node.contract.columns), "column"), node.owner)
        for node in (*catalog.sources.values(), *catalog.build_order())
    ]
    rows += [
        ("on-demand view", view.name, counted(len(view.features), "feature"), view.owner)
        for view in catalog.on_demand.values()
    ]
    rows += [
        ("feature service", service.name, counted(len(service.feature_names), "feature"), service.owner)
        for service in catalog.services.values()
    ]
    rows += [
        (
            "training set",
            training.name,
            f"service {training.service.name}, label {training.label}",
            training.owner,
        )
        for training in catalog.training_sets.values()
    ]
    title = f"project {workspace.settings.name} in {workspace.root}: {counted(len(rows), 'definition')}"
    return html_table(title, ("kind", "name", "what it holds", "owner"), rows)
