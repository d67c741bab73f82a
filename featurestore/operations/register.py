"""Register: Feast's registry rebuilt from the definitions, and our own record of what is applied.

Feast deletes what it no longer finds, online data included, without a word; so removals are asked for first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from featurestore.definitions.digest import service_digest, view_digest
from featurestore.errors import DefinitionError
from featurestore.storage.files import read_record, write_record

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Catalog
    from featurestore.ports import Registry
    from featurestore.storage.layout import Layout


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What is registered: digests of views and services, by name."""

    views: dict[str, str]
    services: dict[str, str]


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What an apply changes."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def changes(catalog: Catalog, layout: Layout) -> Changes:
    """Compare the definitions with the record of what is applied."""
    now = _names(_record_of(catalog))
    before = _names(_recorded(layout))
    return Changes(
        added=tuple(sorted(now.keys() - before.keys())),
        changed=tuple(sorted(name for name in now.keys() & before.keys() if now[name] != before[name])),
        removed=tuple(sorted(before.keys() - now.keys())),
    )


def apply(catalog: Catalog, layout: Layout, registry: Registry, *, allow_removal: bool = False) -> Changes:
    """Register what the catalog defines.

    Raises
    ------
    DefinitionError
        If that would remove something and `allow_removal` is not set; nothing is changed then.
    """
    found = changes(catalog, layout)
    if found.removed and not allow_removal:
        raise DefinitionError(
            f"no longer defined, and would be removed from the registry: {', '.join(found.removed)}",
            hint="define them again, or run: featurestore apply --allow-removal",
        )
    registry.apply(catalog)
    write_record(_record_of(catalog), layout.registry)
    return found


def _record_of(catalog: Catalog) -> Applied:
    return Applied(
        views={name: view_digest(view) for name, view in sorted(catalog.views.items())},
        services={name: service_digest(service) for name, service in sorted(catalog.services.items())},
    )


def _recorded(layout: Layout) -> Applied:
    if not layout.registry.exists():
        return Applied(views={}, services={})
    return read_record(layout.registry, Applied, made_by="featurestore apply")


def _names(applied: Applied) -> dict[str, str]:
    return {f"view {k}": v for k, v in applied.views.items()} | {
        f"service {k}": v for k, v in applied.services.items()
    }
