"""Audit: compare training with serving, cell by cell: the online store, every serving path, kept training sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.definitions.fingerprint import Fingerprint, fingerprint
from featurestore.errors import SkewError, StoreError
from featurestore.operations.audit.fitted import audit_fitted
from featurestore.operations.audit.paths import audit_paths
from featurestore.operations.audit.record import MAX_SHOWN, AuditRecord, Compared, Difference
from featurestore.operations.audit.store import audit_service, audit_view
from featurestore.operations.audit.training import audit_training_set
from featurestore.operations.training_set.training_set import require_same_definition
from featurestore.storage.files import write_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from featurestore.definitions.catalog import Catalog
    from featurestore.ports import OnlineStore, ViewState
    from featurestore.workspace import Workspace


def audit(workspace: Workspace, *, feast: bool = False) -> AuditRecord:
    """Compare serving with the historical join, cell by cell: values bit for bit, and statuses.

    - The online store: every key of the store and every key known offline, of each view, at the store's watermark;
      and rows of each training set, with on-demand features.
    - Every serving path: some rows of each service, read through each (`featurestore.ports.ServingPath`), at the
      watermark and later.
    - Training sets: every row of each kept training set is joined again, and compared with what was kept.
    - Fitted states: the steps of each service are fitted again to the kept rows of train, and compared.

    Parameters
    ----------
    feast
        Also read through Feast's SDK, which takes seconds to import and reads the applied registry.

    Raises
    ------
    MissingDataError
        If a view is not built or not materialized; or, with `feast`, a service is not applied.
    SkewError
        If another definition built or materialized a view, or made a training set; or a serving path refuses rows.
    StoreError
        If a view was written during the audit, and a cell differs or could not be compared.
    """
    for training in workspace.catalog.training_sets:
        require_same_definition(workspace, training)
    store = workspace.store()
    before = _states(workspace, store)
    try:
        record = _compared(workspace, store, feast=feast)
    except SkewError as error:
        _require_unwritten(before, _states(workspace, store), error)
        raise
    if record.mismatches:
        _require_unwritten(before, _states(workspace, store))
    write_record(record, workspace.layout.audit)
    return record


def _states(workspace: Workspace, store: OnlineStore) -> dict[str, ViewState | None]:
    return {name: store.state(name) for name in workspace.catalog.views}


def _require_unwritten(
    before: Mapping[str, ViewState | None],
    after: Mapping[str, ViewState | None],
    error: SkewError | None = None,
) -> None:
    """Refuse a comparison of which one side was read before a write of a view, and the other after it."""
    for name, state in before.items():
        if after[name] != state:
            raise StoreError(
                f"view {name!r} was written while it was audited",
                hint="run the audit again while nobody pushes, deletes or materializes; `featurestore release` audits a copy",
                retry=True,
            ) from error


def _compared(workspace: Workspace, store: OnlineStore, *, feast: bool) -> AuditRecord:
    catalog = workspace.catalog
    differences: list[Difference] = []

    def collected(result: tuple[Compared, list[Difference]]) -> Compared:
        compared, its_differences = result
        differences.extend(its_differences)
        return compared

    audited = {name: audit_view(workspace, view, store) for name, view in catalog.views.items()}
    views = tuple(collected(view.result) for view in audited.values())
    built = [
        training
        for training in catalog.training_sets.values()
        if workspace.layout.training(training.name).exists()
    ]
    services = tuple(collected(audit_service(workspace, training, store, audited)) for training in built)
    paths = tuple(
        collected(result)
        for service in workspace.services.values()
        for result in audit_paths(workspace, service, audited, feast=feast)
    )
    training_sets = (
        *(collected(audit_training_set(workspace, training)) for training in built),
        *(collected(audit_fitted(workspace, training)) for training in built if training.service.steps),
    )
    parts = (*views, *services, *paths, *training_sets)
    return AuditRecord(
        cells=sum(part.cells for part in parts),
        mismatches=sum(part.mismatches for part in parts),
        views=views,
        services=services,
        paths=paths,
        training_sets=training_sets,
        differences=tuple(differences[:MAX_SHOWN]),
        definitions={name: current.digest for name, current in _fingerprints(catalog).items()},
    )


def _fingerprints(catalog: Catalog) -> dict[str, Fingerprint]:
    views = {name: fingerprint(view) for name, view in catalog.views.items()}
    return views | {name: fingerprint(service) for name, service in catalog.services.items()}
