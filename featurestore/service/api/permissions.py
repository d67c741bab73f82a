"""What an API key for certain feature services may read, push and validate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.service.runtime.refused import RefusedError

if TYPE_CHECKING:
    from featurestore.service.call import Call


def require_service(call: Call, service: str | None) -> None:
    """Refuse a lookup in a feature service that the API key is not for.

    Parameters
    ----------
    service
        Name of the service. None: the request names single features.

    Raises
    ------
    RefusedError
        If the key is for other services.
    """
    caller = call.caller
    if caller is not None and caller.services and service not in caller.services:
        raise RefusedError(
            403,
            "Forbidden",
            f"API key {caller.name!r} may not read {service or 'single features'}",
            hint=f"it may read {', '.join(caller.services)}",
        )


def require_view(call: Call, view: str) -> None:
    """Refuse a push to a feature view that no service of the API key reads.

    Raises
    ------
    RefusedError
        If the key is for services that do not read the view.
    """
    caller = call.caller
    if caller is None or not caller.services:
        return
    known = call.release.project.catalog.services
    services = [known[name] for name in caller.services if name in known]
    views = sorted({selection.view.name for service in services for selection in service.reads})
    if view not in views:
        raise RefusedError(
            403,
            "Forbidden",
            f"API key {caller.name!r} may not push to {view!r}",
            hint=f"it may push to the views of {', '.join(caller.services)}: {', '.join(views) or 'none'}",
        )


def require_datasets(call: Call) -> None:
    """Refuse an API key that is for certain feature services: it may not use datasets.

    Raises
    ------
    RefusedError
        If the key is for certain services.
    """
    caller = call.caller
    if caller is not None and caller.services:
        raise RefusedError(
            403,
            "Forbidden",
            f"API key {caller.name!r} is for {', '.join(caller.services)}, and not for datasets",
            hint="use a key without services: featurestore key add NAME --scope validate",
        )
