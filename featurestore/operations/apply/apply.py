"""Apply: register the definitions with Feast, and record what is registered.

Feast deletes what is no longer defined, online data included, without asking: `apply` refuses removals unless they are
allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from featurestore.definitions.fingerprint import Fingerprint, fingerprint
from featurestore.errors import DefinitionError
from featurestore.operations.apply.definition_changes import (
    DefinitionChange,
    Outdated,
    changed_parts,
    outdated,
)
from featurestore.quality.change.schema_changes import ContractTerms, contract_terms, schema_changes
from featurestore.storage.files import read_record, write_record
from featurestore.timing.columns import TIME_COLUMNS

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Catalog
    from featurestore.storage.layout import Layout
    from featurestore.workspace import Workspace


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What is registered.

    Attributes
    ----------
    views, services
        Digests by name.
    terms
        The schemas of the views that services read.
    definitions
        Fingerprints of all definitions by name, each without those of its upstream definitions.
    """

    views: dict[str, str]
    services: dict[str, str]
    terms: dict[str, ContractTerms] = {}
    definitions: dict[str, Fingerprint] = {}


class BreakingChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a schema that breaks the feature services that read the view.

    Attributes
    ----------
    readers
        The feature services that read the view.
    """

    view: str
    column: str
    change: str
    readers: tuple[str, ...]


class ApplyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What `apply` changes in the registry.

    Attributes
    ----------
    added, changed, removed
        Views and services, such as ``"view last_order"``.
    breaking
        Changes of schemas that break the services that read them.
    differences
        What differs in definitions of every kind, each difference at the definition where it is.
    outdated
        What has to be made again, in the order in which to make it.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    breaking: tuple[BreakingChange, ...]
    differences: tuple[DefinitionChange, ...] = ()
    outdated: tuple[Outdated, ...] = ()

    def require_allowed(self, *, allow_removal: bool = False, allow_breaking: bool = False) -> None:
        """Raise if the plan needs a permission that is not given.

        Raises
        ------
        DefinitionError
            If the plan has removals or breaking changes, and they are not allowed.
        """
        if self.breaking and not allow_breaking:
            listing = "".join(
                f"\n  {change.view}.{change.column}: {change.change} (read by {', '.join(change.readers)})"
                for change in self.breaking
            )
            raise DefinitionError(
                f"schemas that feature services depend on have changed in a way that breaks their readers:{listing}",
                hint="give the feature a new name, or run: featurestore apply --allow-breaking",
            )
        if self.removed and not allow_removal:
            raise DefinitionError(
                f"no longer defined, and would be removed from the registry: {', '.join(self.removed)}",
                hint="define them again, or run: featurestore apply --allow-removal",
            )


def plan_apply(workspace: Workspace) -> ApplyPlan:
    """Compare the definitions with what is registered, without changing anything."""
    applied = _applied(workspace.layout)
    wanted = _wanted(workspace.catalog)
    return msgspec.structs.replace(
        registry_changes(workspace),
        differences=changed_parts(applied.definitions, wanted.definitions),
        outdated=outdated(workspace),
    )


def registry_changes(workspace: Workspace) -> ApplyPlan:
    """Return the part of `plan_apply` that decides whether `apply` refuses. It reads no data."""
    applied = _applied(workspace.layout)
    wanted = _wanted(workspace.catalog)
    before = _digests(applied)
    now = _digests(wanted)
    return ApplyPlan(
        added=tuple(sorted(now.keys() - before.keys())),
        changed=tuple(sorted(name for name in now.keys() & before.keys() if now[name] != before[name])),
        removed=tuple(sorted(before.keys() - now.keys())),
        breaking=_breaking(workspace.catalog, applied, wanted),
    )


def apply(workspace: Workspace, *, allow_removal: bool = False, allow_breaking: bool = False) -> ApplyPlan:
    """Register what the catalog defines; returns the plan that was executed.

    Parameters
    ----------
    allow_removal
        True: also remove what is no longer defined.
    allow_breaking
        True: also change schemas in ways that break the services that read them.

    Raises
    ------
    DefinitionError
        If the plan has removals or breaking changes, and they are not allowed; nothing changes then.
    SkewError
        If a definition changed after this process read it.
    """
    workspace.require_current()
    plan = plan_apply(workspace)
    plan.require_allowed(allow_removal=allow_removal, allow_breaking=allow_breaking)
    workspace.registry.apply(workspace.catalog)
    write_record(_wanted(workspace.catalog), workspace.layout.registry)
    return plan


def _breaking(catalog: Catalog, applied: Applied, wanted: Applied) -> tuple[BreakingChange, ...]:
    return tuple(
        BreakingChange(
            view=view, column=change.column, change=change.description, readers=_readers(catalog, view)
        )
        for view, before in applied.terms.items()
        if view in wanted.terms
        for change in schema_changes(before.columns, wanted.terms[view].columns)
        # No service reads a time as a feature.
        if change.breaks_readers and change.column not in TIME_COLUMNS
    )


def _wanted(catalog: Catalog) -> Applied:
    return Applied(
        views={name: fingerprint(view).digest for name, view in sorted(catalog.views.items())},
        services={name: fingerprint(service).digest for name, service in sorted(catalog.services.items())},
        terms={
            name: contract_terms(view.feature_contract)
            for name, view in sorted(catalog.views.items())
            if _readers(catalog, name)
        },
        definitions={
            definition.name: msgspec.structs.replace(fingerprint(definition), upstream=())
            for definition in (
                *catalog.sources.values(),
                *catalog.build_order(),
                *catalog.on_demand.values(),
                *catalog.services.values(),
                *catalog.training_sets.values(),
            )
        },
    )


def _readers(catalog: Catalog, view: str) -> tuple[str, ...]:
    return tuple(
        name
        for name, service in catalog.services.items()
        if any(selection.view.name == view for selection in service.reads)
    )


def _applied(layout: Layout) -> Applied:
    if not layout.registry.exists():
        return Applied(views={}, services={})
    return read_record(layout.registry, Applied, made_by="featurestore apply")


def _digests(applied: Applied) -> dict[str, str]:
    return {
        **{f"view {name}": digest for name, digest in applied.views.items()},
        **{f"service {name}": digest for name, digest in applied.services.items()},
    }
