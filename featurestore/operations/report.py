"""Report: write an HTML page for each dataset, and one page over all datasets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from featurestore.errors import MissingDataError
from featurestore.operations.audit.record import AuditRecord
from featurestore.operations.materialize import MaterializeRecord
from featurestore.operations.training_set.training_set import training_manifest
from featurestore.quality.change.change_summary import change_summary
from featurestore.quality.change.drift import drift
from featurestore.storage.datasets import build_command
from featurestore.storage.files import read_record, write_record, write_text

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from featurestore.workspace import Workspace

T = TypeVar("T")


class Pages(msgspec.Struct, frozen=True):
    """Which pages were written."""

    datasets: tuple[str, ...]


def report(workspace: Workspace, names: Collection[str] = ()) -> Path:
    """Write the pages of datasets, and the page over all datasets; returns the path of the page over all.

    Parameters
    ----------
    names
        Datasets; all that the gate has seen, if none are given.

    Raises
    ------
    MissingDataError
        If the gate has not seen a dataset that is named, or any dataset at all; names the command to run.
    """
    from featurestore.report.news import Reported, news, reported  # noqa: PLC0415 - as below
    from featurestore.report.pages import Index, dataset_page, index_page, state_of  # noqa: PLC0415 - only reports need Jinja
    from featurestore.report.records import records_of  # noqa: PLC0415 - as above

    catalog = workspace.catalog
    layout = workspace.layout
    selected = [catalog.node(name).name for name in names]
    records = {
        name: records_of(node, layout, made_by=build_command(node)) for name, node in catalog.nodes.items()
    }
    seen = [name for name, record in records.items() if record.has_verdict]
    if not seen:
        first = next(iter(catalog.nodes.values()), None)
        raise MissingDataError(
            "there is nothing to report: the gate has seen no dataset yet",
            hint="define a source" if first is None else f"run: {build_command(first)}",
        )
    drifts = {
        name: drift(record.before, record.now, record.node.contract.columns)
        for name, record in records.items()
        if record.before is not None and record.now is not None
    }
    notes = {
        name: change_summary(record.node.contract, record.runs, drifts.get(name))
        for name, record in records.items()
    }
    for name in selected or seen:
        write_text(dataset_page(records[name], notes=notes[name]), layout.page(name), private=True)
    previous = _read(layout.reported, Reported)
    shown = reported(previous, records, datetime.now(UTC))
    manifests = (training_manifest(workspace, name) for name in catalog.training_sets)
    index = Index(
        catalog=catalog,
        records=records,
        audit=_read(layout.audit, AuditRecord),
        materialized=_read(layout.materialized, MaterializeRecord),
        training_sets=[manifest for manifest in manifests if manifest is not None],
        news=news(shown, records, notes, {name: state_of(record) for name, record in records.items()}),
        drifts=drifts,
    )
    write_text(index_page(index), layout.report, private=True)
    write_record(shown, layout.reported)
    if not selected:
        write_record(Pages(tuple(seen)), layout.pages)
    return layout.report


def _read(path: Path, kind: type[T]) -> T | None:
    return read_record(path, kind, made_by="featurestore audit") if path.exists() else None
