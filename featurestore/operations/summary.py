"""Summary: what the last run of each step did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from featurestore.operations.audit import AuditRecord
from featurestore.operations.materialize import MaterializeRecord
from featurestore.operations.training_set import TrainingManifest
from featurestore.operations.verdict import verdict
from featurestore.quality.gate.verdict import Verdict
from featurestore.storage.files import read_record

if TYPE_CHECKING:
    from featurestore.workspace import Workspace


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What the last run of each step did."""

    sources: tuple[Verdict, ...]
    datasets: tuple[Verdict, ...]
    views: tuple[Verdict, ...]
    training_sets: tuple[TrainingManifest, ...]
    materialized: MaterializeRecord
    audit: AuditRecord


def summary(workspace: Workspace) -> Summary:
    """Read the records of the last run.

    Raises
    ------
    MissingDataError
        If a step has not run yet; names its command.
    """
    catalog = workspace.catalog
    layout = workspace.layout
    return Summary(
        sources=tuple(verdict(workspace, name) for name in catalog.sources),
        datasets=tuple(verdict(workspace, name) for name in catalog.datasets),
        views=tuple(verdict(workspace, name) for name in catalog.views),
        training_sets=tuple(
            read_record(
                layout.training_manifest(name), TrainingManifest, made_by=f"featurestore training-set {name}"
            )
            for name in catalog.training_sets
        ),
        materialized=read_record(layout.materialized, MaterializeRecord, made_by="featurestore materialize"),
        audit=read_record(layout.audit, AuditRecord, made_by="featurestore audit"),
    )
