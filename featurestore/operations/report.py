"""The summary of the last run, and the HTML report made from it: self-contained, deterministic, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from featurestore.operations.audit import AuditRecord
from featurestore.operations.materialize import MaterializeRecord
from featurestore.operations.train import TrainingManifest
from featurestore.quality.verdict import Verdict
from featurestore.storage.files import read_record

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Catalog
    from featurestore.storage.layout import Layout


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants to know of the last run."""

    sources: tuple[Verdict, ...]
    datasets: tuple[Verdict, ...]
    views: tuple[Verdict, ...]
    training_sets: tuple[TrainingManifest, ...]
    materialized: MaterializeRecord
    audit: AuditRecord


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


def render(summary: Summary, catalog: Catalog) -> str:
    """Render the report as one HTML page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - only reports need it

    environment = Environment(
        loader=PackageLoader("featurestore.operations", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = "{:,}".format
    features = {name: view.features for name, view in catalog.views.items()}
    features |= {name: view.features for name, view in catalog.on_demand.items()}
    return environment.get_template("report.html.j2").render(
        summary=summary, catalog=catalog, features=features
    )
