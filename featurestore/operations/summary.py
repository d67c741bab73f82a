"""Summary: what the last run of each step did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from featurestore.operations.audit.record import AuditRecord
from featurestore.operations.check.unversioned import Unversioned, unversioned
from featurestore.operations.materialize import MaterializeRecord
from featurestore.operations.training_set.manifest import TrainingManifest
from featurestore.quality.gate.verdict import Verdict
from featurestore.report.records import records_of
from featurestore.storage.datasets import build_command
from featurestore.storage.files import read_record

if TYPE_CHECKING:
    from featurestore.workspace import Workspace


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What the last run of each step did.

    Attributes
    ----------
    sources, datasets, views
        The verdict of the last run of each, also where it refused its rows.
    unread
        Why the last run of a dataset could not read its rows, by name; its verdict is of an earlier run.
    unversioned
        Raw files and pushed rows whose current content has no version, such as rows that were pushed since the last one.
    """

    sources: tuple[Verdict, ...]
    datasets: tuple[Verdict, ...]
    views: tuple[Verdict, ...]
    training_sets: tuple[TrainingManifest, ...]
    materialized: MaterializeRecord
    audit: AuditRecord
    unread: dict[str, str]
    unversioned: tuple[Unversioned, ...]


def summary(workspace: Workspace) -> Summary:
    """Read the records of the last run.

    Raises
    ------
    MissingDataError
        If a step has not run yet; names its command.
    """
    catalog = workspace.catalog
    layout = workspace.layout
    records = {
        name: records_of(node, layout, made_by=build_command(node)) for name, node in catalog.nodes.items()
    }
    return Summary(
        sources=tuple(records[name].verdict for name in catalog.sources),
        datasets=tuple(records[name].verdict for name in catalog.datasets),
        views=tuple(records[name].verdict for name in catalog.views),
        training_sets=tuple(
            read_record(
                layout.training_manifest(name), TrainingManifest, made_by=f"featurestore training-set {name}"
            )
            for name in catalog.training_sets
        ),
        materialized=read_record(layout.materialized, MaterializeRecord, made_by="featurestore materialize"),
        audit=read_record(layout.audit, AuditRecord, made_by="featurestore audit"),
        unread={name: record.unread.reason for name, record in records.items() if record.unread is not None},
        unversioned=unversioned(workspace),
    )
