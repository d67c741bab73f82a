"""The summary of the last run, and the HTML report: a page for each dataset and one over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from featurestore.errors import MissingDataError
from featurestore.operations.audit import AuditRecord
from featurestore.operations.build import made_by
from featurestore.operations.materialize import MaterializeRecord
from featurestore.operations.training_set import TrainingManifest
from featurestore.quality.change.change_summary import change_summary
from featurestore.quality.gate.verdict import Verdict
from featurestore.storage.files import read_record, write_record, write_text

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from featurestore.definitions.catalog import Catalog
    from featurestore.storage.layout import Layout

T = TypeVar("T")


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants to know of the last run."""

    sources: tuple[Verdict, ...]
    datasets: tuple[Verdict, ...]
    views: tuple[Verdict, ...]
    training_sets: tuple[TrainingManifest, ...]
    materialized: MaterializeRecord
    audit: AuditRecord


class Pages(msgspec.Struct, frozen=True):
    """Which pages were made."""

    datasets: tuple[str, ...]


def summarize(catalog: Catalog, layout: Layout) -> Summary:
    """Read the records of the last run.

    Raises
    ------
    MissingDataError
        If a step has not run yet; names its command.
    """

    def verdict(name: str, command: str) -> Verdict:
        return read_record(layout.verdict(name), Verdict, made_by=f"featurestore {command} {name}")

    return Summary(
        sources=tuple(verdict(name, "validate") for name in catalog.sources),
        datasets=tuple(verdict(name, "build") for name in catalog.datasets),
        views=tuple(verdict(name, "build") for name in catalog.views),
        training_sets=tuple(
            read_record(
                layout.training_manifest(name), TrainingManifest, made_by=f"featurestore training-set {name}"
            )
            for name in catalog.training_sets
        ),
        materialized=read_record(layout.materialized, MaterializeRecord, made_by="featurestore materialize"),
        audit=read_record(layout.audit, AuditRecord, made_by="featurestore audit"),
    )


def report(catalog: Catalog, layout: Layout, names: Collection[str] = ()) -> Path:
    """Write the page over all datasets, and those of the datasets named (all that were judged, if none are).

    What has not run yet is said on the page. Returns the path of the page over all.

    Raises
    ------
    MissingDataError
        If a dataset that is named, or none at all, was judged yet; names the command to run.
    """
    from featurestore.report.pages import Index, dataset_page, index_page  # noqa: PLC0415 - only reports need it
    from featurestore.report.records import records_of  # noqa: PLC0415

    wanted = [catalog.node(name).name for name in names]
    records = {name: records_of(node, layout, made_by=made_by(node)) for name, node in catalog.nodes.items()}
    judged = [name for name, found in records.items() if found.has_verdict]
    if not judged:
        first = next(iter(catalog.nodes.values()), None)
        raise MissingDataError(
            "there is nothing to report: the gate has seen no dataset yet",
            hint="define a source" if first is None else f"run: {made_by(first)}",
        )
    for name in wanted or judged:
        told = records[name]
        notes = change_summary(told.node.contract, told.runs, told.before, told.now)
        write_text(dataset_page(told, notes=notes), layout.page(name))
    sets = (layout.training_manifest(name) for name in catalog.training_sets)
    index = Index(
        catalog=catalog,
        records=records,
        audit=_if_there(layout.audit, AuditRecord),
        materialized=_if_there(layout.materialized, MaterializeRecord),
        training_sets=[read_record(path, TrainingManifest, made_by="") for path in sets if path.exists()],
    )
    write_text(index_page(index), layout.report)
    if not wanted:
        write_record(Pages(tuple(judged)), layout.pages)
    return layout.report


def _if_there(path: Path, kind: type[T]) -> T | None:
    return read_record(path, kind, made_by="featurestore audit") if path.exists() else None
