"""Register: Feast's registry rebuilt from the definitions, and our own record of what is applied.

Feast deletes what it no longer finds, online data included, without a word; so removals are asked for first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from featurestore.definitions.digest import service_digest, view_digest
from featurestore.errors import DefinitionError
from featurestore.quality.change.schema_changes import (
    ContractTerms,
    SchemaChange,
    contract_terms,
    schema_changes,
)
from featurestore.storage.files import read_record, write_record

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Catalog
    from featurestore.ports import Registry
    from featurestore.storage.layout import Layout


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What is registered: digests of views and services by name, and what is promised of the views that services read."""

    views: dict[str, str]
    services: dict[str, str]
    promised: dict[str, ContractTerms] = {}


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


def breaking(catalog: Catalog, layout: Layout) -> dict[str, tuple[SchemaChange, ...]]:
    """List, by view, what changed since the last apply in a way that breaks the services that read it."""
    before, now = _recorded(layout).promised, _record_of(catalog).promised
    found = {
        view: tuple(
            change for change in schema_changes(told.columns, now[view].columns) if change.breaks_readers
        )
        for view, told in before.items()
        if view in now
    }
    return {view: told for view, told in found.items() if told}


def apply(
    catalog: Catalog,
    layout: Layout,
    registry: Registry,
    *,
    allow_removal: bool = False,
    allow_breaking: bool = False,
) -> Changes:
    """Register what the catalog defines.

    Raises
    ------
    DefinitionError
        If that would remove something and `allow_removal` is not set, or would break a service that reads a view and
        `allow_breaking` is not set; nothing is changed then.
    """
    found = changes(catalog, layout)
    if (broken := breaking(catalog, layout)) and not allow_breaking:
        told = "".join(
            f"\n  {view}.{change.column}: {change.description} (read by {', '.join(_readers(catalog, view))})"
            for view, told in broken.items()
            for change in told
        )
        raise DefinitionError(
            f"schemas that feature services depend on have changed in a way that breaks their readers:{told}",
            hint="give the feature a new name, or run: featurestore apply --allow-breaking",
        )
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
        promised={
            name: contract_terms(view.contract)
            for name, view in sorted(catalog.views.items())
            if _readers(catalog, name)
        },
    )


def _readers(catalog: Catalog, view: str) -> list[str]:
    return [
        name for name, service in catalog.services.items() if any(s.view.name == view for s in service.reads)
    ]


def _recorded(layout: Layout) -> Applied:
    if not layout.registry.exists():
        return Applied(views={}, services={})
    return read_record(layout.registry, Applied, made_by="featurestore apply")


def _names(applied: Applied) -> dict[str, str]:
    return {f"view {k}": v for k, v in applied.views.items()} | {
        f"service {k}": v for k, v in applied.services.items()
    }
