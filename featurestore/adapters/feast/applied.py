"""What may be applied to Feast's registry: the views of the project, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featurestore.adapters.feast.objects import DEFINITION_TAG
from featurestore.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.adapters.feast.context import Context

_EXPOSE = "globals().update(expose(Path(__file__).parent))"


def require_ours(context: Context, views: Sequence[Any], *, complete: bool) -> None:
    """Refuse Feast views that our stores could not read.

    Parameters
    ----------
    views
        The Feast views to apply.
    complete
        True: the views are all views of the repository, as in ``feast apply``.

    Raises
    ------
    DefinitionError
        If a view was not compiled from a definition of the project, or a defined view is missing.
    """
    package = context.settings.definitions
    defined = context.catalog.views
    foreign = [view.name for view in views if view.name not in defined or DEFINITION_TAG not in view.tags]
    if foreign:
        raise DefinitionError(
            f"Feast view {foreign[0]!r} was not compiled from a definition of this project, and its stores cannot "
            "read it: they check, join and serve what a feature view of featurestore defines",
            hint=f"write {foreign[0]!r} as a function with @feature_view in {package}/, and remove the Feast object",
        )
    if not complete:
        return
    applied = {view.name for view in views}
    missing = [name for name in defined if name not in applied]
    if missing:
        raise DefinitionError(
            f"{package}/ defines {', '.join(map(repr, missing))}, which Feast did not find",
            hint=f"{package}/feast_objects.py shows Feast the definitions; its last line is {_EXPOSE}",
        )
    if not defined:
        raise DefinitionError(
            f"{package}/ defines no feature view, so there is nothing to apply",
            hint=f"write a function with @feature_view in {package}/",
        )
