"""Whether each feature view was checked for leaks as it is now: what `release` asks for, and the pipeline derives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import MissingDataError, SkewError, StoreError
from featurestore.operations.check.timeless import UNPROVEN, digests_of, kind_of, known_text, leaf_nodes
from featurestore.operations.check_leaks.record import CheckedView, LeakRecord, require_proven
from featurestore.storage.files import read_record
from featurestore.storage.fingerprint import file_fingerprint

if TYPE_CHECKING:
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.operations.check_leaks.labels import CheckedSet
    from featurestore.workspace import Workspace

COMMAND: Final = "featurestore check-leaks"


def require_checked(workspace: Workspace) -> None:
    """Refuse a project of which a feature view leaks, or was not checked as it is now; or a checked training set reveals its label.

    Raises
    ------
    MissingDataError
        If a view was not checked.
    SkewError
        If a row leaks, or the definition, the inputs or the declarations of a view changed since it was checked.
    DefinitionError
        If nothing tells when an input becomes known.
    """
    if not workspace.catalog.views:
        return
    require_proven(unproven_inputs(workspace))
    record = read_record(workspace.layout.leaks, LeakRecord, made_by=COMMAND)
    checked = {view.name: view for view in record.views}
    if missing := [name for name in workspace.catalog.views if name not in checked]:
        raise MissingDataError(f"{', '.join(missing)}: not checked for leaks yet", hint=f"run: {COMMAND}")
    for name, view in workspace.catalog.views.items():
        if changed := _changed(workspace, view, checked[name]):
            raise SkewError(
                f"{name} was checked for leaks before {changed} changed",
                hint=f"run: {COMMAND}",
                definition=name,
                commands=[COMMAND],
            )
    sets = tuple(checked for checked in record.training_sets if _is_same(workspace, checked))
    msgspec.structs.replace(record, training_sets=sets).require_none()


def with_others(workspace: Workspace, record: LeakRecord) -> LeakRecord:
    """Add to a record what the one in place says of other views that are still as they were checked.

    A record in place that cannot be read is replaced.
    """
    views = workspace.catalog.views
    names = {view.name for view in record.views}
    try:
        former = read_record(workspace.layout.leaks, LeakRecord, made_by=COMMAND)
    except (MissingDataError, StoreError):
        return record
    kept = [
        view
        for view in former.views
        if view.name not in names and view.name in views and _is_as_checked(workspace, views[view.name], view)
    ]
    kept_names = {view.name for view in kept}
    order = list(views)
    sets = {checked.name for checked in record.training_sets}
    kept_sets = [
        checked
        for checked in former.training_sets
        if checked.name not in sets and _is_same(workspace, checked)
    ]
    return LeakRecord(
        training_sets=(*record.training_sets, *kept_sets),
        views=tuple(sorted([*record.views, *kept], key=lambda view: order.index(view.name))),
        leaks=(*record.leaks, *(leak for leak in former.leaks if leak.view in kept_names)),
    )


def _is_as_checked(workspace: Workspace, view: FeatureView, checked: CheckedView) -> bool:
    try:
        return not _changed(workspace, view, checked)
    except MissingDataError:
        # An input is gone: what was checked cannot be seen again.
        return False


def _is_same(workspace: Workspace, checked: CheckedSet) -> bool:
    path = workspace.layout.training(checked.name)
    is_kept = checked.name in workspace.catalog.training_sets and path.exists()
    return is_kept and file_fingerprint(path) == checked.content


def provable(workspace: Workspace) -> tuple[str, ...]:
    """List the feature views of which each input tells when it becomes known."""
    unproven = unproven_inputs(workspace)
    return tuple(name for name in workspace.catalog.views if name not in unproven)


def unproven_inputs(workspace: Workspace) -> dict[str, tuple[str, ...]]:
    """Return the inputs that do not tell when they become known, by feature view; views without such inputs are left out."""
    catalog = workspace.catalog
    inputs = {
        name: tuple(node.name for node in leaf_nodes(view, catalog) if kind_of(node.contract) == UNPROVEN)
        for name, view in catalog.views.items()
    }
    return {name: unproven for name, unproven in inputs.items() if unproven}


def _changed(workspace: Workspace, view: FeatureView, checked: CheckedView) -> str:
    """Name what changed since a view was checked; empty: nothing did."""
    if fingerprint(view).digest != checked.definition:
        return "its definition"
    nodes = leaf_nodes(view, workspace.catalog)
    known = {node.name: known_text(node) for node in nodes}
    digests = digests_of(nodes, workspace.layout)
    for name in digests:
        if known[name] != checked.known.get(name):
            return f"when {name} is known"
        if digests[name] != checked.inputs.get(name):
            return f"the rows of {name}"
    return ""
