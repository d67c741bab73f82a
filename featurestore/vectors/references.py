"""The references by which a caller names the features of a service one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from featurestore.definitions.feature_service import FeatureService


def references(service: FeatureService, *, without: Collection[str]) -> list[str]:
    """Return ``view:feature`` for each feature of a service.

    Parameters
    ----------
    without
        Names of features to leave out. Features under an alias are left out too: only a feature
        service can name them.
    """
    stored = [
        (selection.view.name, name)
        for selection in service.selections
        if selection.alias is None
        for name in selection.names
    ]
    computed = [(view.name, name) for view in service.on_demand for name in view.feature_names]
    return [f"{view}:{name}" for view, name in (*stored, *computed) if name not in without]
