"""Verdict: read what the gate decided about a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.quality.gate.personal import redact
from featurestore.quality.gate.verdict import Verdict
from featurestore.report.records import records_of
from featurestore.storage.datasets import build_command
from featurestore.storage.files import read_record

if TYPE_CHECKING:
    from featurestore.workspace import Workspace


def verdict(workspace: Workspace, name: str, *, last_run: bool = False) -> Verdict:
    """Read the verdict of the gate on the rows in place.

    Parameters
    ----------
    last_run
        Read the verdict of the last run instead, also where it refused its rows.

    Raises
    ------
    UnknownNameError
        If the dataset is not defined.
    MissingDataError
        If the dataset never passed the gate.
    """
    node = workspace.catalog.node(name)
    command = build_command(node)
    if last_run:
        return records_of(node, workspace.layout, made_by=command).verdict
    return read_record(workspace.layout.verdict(name), Verdict, made_by=command)


def verdicts(workspace: Workspace) -> dict[str, Verdict]:
    """Read the verdict of the last run of every dataset, by name. A dataset that was never validated is left out.

    If a column became personal after a run, its values are removed from the verdict.

    Raises
    ------
    StoreError
        If a record cannot be read.
    """
    nodes = workspace.catalog.nodes.values()
    records = [records_of(node, workspace.layout, made_by=build_command(node)) for node in nodes]
    return {
        record.name: redact(record.verdict, record.node.contract) for record in records if record.has_verdict
    }
