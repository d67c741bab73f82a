"""The stored rows of feature views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.ports import ViewRows
from featurestore.storage.files import required

if TYPE_CHECKING:
    from featurestore.definitions.feature_view import Selection
    from featurestore.storage.layout import Layout


def rows_of(selection: Selection, layout: Layout) -> ViewRows:
    """Locate the rows of a view.

    Raises
    ------
    MissingDataError
        If the view is not built yet.
    """
    name = selection.view.name
    return ViewRows(selection, (required(layout.features(name), made_by=f"featurestore build {name}"),))
