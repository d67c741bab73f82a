"""What may be applied to Feast's registry: the views of the project, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feast import FeatureService, utils

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


def require_known(context: Context, features: FeatureService | Sequence[str]) -> None:
    """Refuse views that only Feast knows. On-demand views are the ones that `require_ours` does not see.

    Raises
    ------
    DefinitionError
        If a view has no definition in the project.
    """
    catalog = context.catalog
    names = (
        [projection.name for projection in features.feature_view_projections]
        if isinstance(features, FeatureService)
        else [utils._parse_feature_ref(reference)[0] for reference in features]  # noqa: SLF001 - as Feast's own stores do
    )
    aliases = {selection.label for service in catalog.services.values() for selection in service.selections}
    for name in names:
        if name not in catalog.views and name not in catalog.on_demand and name not in aliases:
            raise DefinitionError(
                f"view {name!r} has no definition in this project, so training could not compute it",
                hint=f"write it as a function with @on_demand_feature_view in {context.settings.definitions}/",
            )
