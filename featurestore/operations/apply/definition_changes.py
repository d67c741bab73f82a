"""What changed in the definitions, and what has to be made again because of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from featurestore.definitions.fingerprint import Difference, Fingerprint, differences, fingerprint
from featurestore.definitions.fingerprint.difference import NAMES
from featurestore.errors import MissingDataError, SkewError
from featurestore.operations.materialize import MaterializeRecord
from featurestore.operations.release.releases import active_release, read_release
from featurestore.operations.training_set.training_set import training_manifest
from featurestore.storage.datasets import build_command, dataset_path
from featurestore.storage.files import read_record
from featurestore.storage.made_by import made_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from featurestore.definitions.catalog import Node
    from featurestore.workspace import Workspace


class DefinitionChange(msgspec.Struct, frozen=True, kw_only=True):
    """What differs in one definition.

    Attributes
    ----------
    kind, name
        Of the definition, such as ``"feature view"``.
    differences
        What differs in the definition itself; what differs in its upstream definitions is named there.
    """

    kind: str
    name: str
    differences: tuple[Difference, ...]


class Outdated(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was made by another definition, and has to be made again.

    Attributes
    ----------
    kind
        ``source``, ``dataset``, ``feature view``, ``online store``, ``training set`` or ``release``.
    name
        Of the definition; of the view that the online store holds; of the active release.
    command
        The command that makes it again.
    """

    kind: str
    name: str
    command: str


def changed_parts(
    before: Mapping[str, Fingerprint], now: Mapping[str, Fingerprint]
) -> tuple[DefinitionChange, ...]:
    """Name what differs in each definition that exists on both sides."""
    changes = (
        DefinitionChange(kind=after.kind, name=name, differences=_own(before[name], after))
        for name, after in now.items()
        if name in before
    )
    return tuple(change for change in changes if change.differences)


def outdated(workspace: Workspace) -> tuple[Outdated, ...]:
    """List what other definitions than those of now made. What is not made yet is not listed."""
    return (
        *_datasets(workspace),
        *_online_views(workspace),
        *_training_sets(workspace),
        *_active_release(workspace),
    )


def _own(before: Fingerprint, after: Fingerprint) -> tuple[Difference, ...]:
    different = differences(before, after)
    # Nothing of its own differs if the links to upstream definitions explain the other digest.
    unnamed = all(difference.kind == "function" and difference.name == NAMES for difference in different)
    return () if unnamed and _links(before) != _links(after) else different


def _links(definition: Fingerprint) -> list[str]:
    return [part.digest for part in definition.parts if part.kind == "upstream"]


def _datasets(workspace: Workspace) -> Iterator[Outdated]:
    catalog = workspace.catalog
    nodes: tuple[Node, ...] = (*catalog.sources.values(), *catalog.build_order())
    for node in nodes:
        path = dataset_path(node, workspace.layout)
        recorded = made_by(path) if path.exists() else fingerprint(node)
        if recorded is None or recorded.digest != fingerprint(node).digest:
            yield Outdated(kind=fingerprint(node).kind, name=node.name, command=build_command(node))


def _online_views(workspace: Workspace) -> Iterator[Outdated]:
    path = workspace.layout.materialized
    command = "featurestore materialize"
    if path.exists():
        for done in read_record(path, MaterializeRecord, made_by=command).views:
            view = workspace.catalog.views.get(done.view)
            if view is not None and done.definition != fingerprint(view).digest:
                yield Outdated(kind="online store", name=done.view, command=command)


def _training_sets(workspace: Workspace) -> Iterator[Outdated]:
    for name, training in workspace.catalog.training_sets.items():
        manifest = training_manifest(workspace, name)
        if manifest is None:
            continue
        if manifest.fingerprint is None or manifest.fingerprint.digest != fingerprint(training).digest:
            yield Outdated(kind="training set", name=name, command=f"featurestore training-set {name}")


def _active_release(workspace: Workspace) -> Iterator[Outdated]:
    active = active_release(workspace.layout)
    if active is None:
        return
    if read_release(workspace.layout.releases / active).services != _served_digests(workspace):
        yield Outdated(kind="release", name=active, command="featurestore release")


def _served_digests(workspace: Workspace) -> dict[str, str]:
    """Return the digest of each service as it would be served; without those whose steps have to be fitted again."""
    digests = {}
    for name, service in workspace.catalog.services.items():
        with suppress(MissingDataError, SkewError):
            digests[name] = fingerprint(workspace.fitted(service)).digest
    return digests
