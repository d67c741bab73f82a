"""Keep what the gate decided about a dataset: rows, quarantine, profile and history; or the refusal."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from featurestore.errors import ContractError, MissingDataError
from featurestore.quality.change.history import run_of
from featurestore.quality.change.schema_changes import contract_terms
from featurestore.quality.gate.inspection import require
from featurestore.quality.gate.quarantine import keep, refuse
from featurestore.quality.profile.profile import Profiler
from featurestore.report.records import Unread
from featurestore.storage.datasets import dataset_path
from featurestore.storage.files import append_record, translated_write_errors, write_bytes, write_record
from featurestore.storage.made_by import metadata_of
from featurestore.storage.together import replaced_together

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from featurestore.definitions.catalog import Node
    from featurestore.quality.gate.inspection import Inspection
    from featurestore.quality.gate.verdict import Verdict
    from featurestore.storage.layout import Layout
    from featurestore.storage.together import FileGroup


def record_outcome(
    inspection: Inspection, node: Node, layout: Layout, *, also: Mapping[Path, bytes] | None = None
) -> Verdict:
    """Replace the rows of a dataset by those that passed, and write quarantine, verdict, profile and history.

    All files are replaced together. If a step fails, all stay as they are.

    Parameters
    ----------
    also
        The content of other files that are replaced together with these, if the dataset is not refused.

    Raises
    ------
    ContractError
        If the dataset is refused. The rows in place do not change; the refused rows are in ``data/refused``.
    StoreError
        If a file cannot be written.
    """
    name = node.name
    path = dataset_path(node, layout)
    verdict = inspection.verdict
    at = datetime.now(UTC)
    history = layout.history(name)
    if verdict.decision == "refused":
        with replaced_together(layout, name) as files, translated_write_errors(history):
            refuse(inspection, layout, name, files)
            append_record(run_of(verdict, None, node.contract, at), _copied(history, files))
        require(verdict)
    with replaced_together(layout, name) as files, translated_write_errors(layout.data):
        profiler = Profiler(inspection.passing.collect_schema(), dataset=name, contract=node.contract)
        profiled = replace(inspection, passing=profiler.passed(inspection.passing))
        keep(profiled, layout, name, path, files, metadata=metadata_of(node))
        current = profiler.profile()
        write_record(contract_terms(node.contract), files.aside(layout.contract(name)))
        new_profile = files.aside(layout.profile(name))
        write_record(current, new_profile, indent=0)
        before = layout.profile(name).read_bytes() if layout.profile(name).exists() else None
        if before is not None and before != new_profile.read_bytes():
            write_bytes(before, files.aside(layout.profile_before(name)), private=True)
        append_record(run_of(verdict, current, node.contract, at), _copied(history, files))
        for path_of_other, content in (also or {}).items():
            write_bytes(content, files.aside(path_of_other), private=True)
    return verdict


@contextmanager
def recorded_failure(node: Node, layout: Layout) -> Iterator[None]:
    """Record that the rows of a run could not be read, if the block fails for that reason.

    The record of a dataset with personal columns has no message, which may hold a value.
    """
    try:
        yield
    except (ContractError, MissingDataError) as error:
        if not isinstance(error, ContractError) or error.verdict is None:
            reason = "the command says why" if node.contract.personal else error.message
            write_record(Unread(at=datetime.now(UTC), reason=reason), layout.unread(node.name))
        raise


def _copied(history: Path, files: FileGroup) -> Path:
    """Copy the history aside, to append to the copy."""
    if history.exists():
        write_bytes(history.read_bytes(), files.aside(history), private=True)
    return files.aside(history)
