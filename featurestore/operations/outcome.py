"""Keep what the gate decided about a dataset: rows, quarantine, profile and history; or the refusal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from featurestore.quality.change.history import run_of
from featurestore.quality.change.schema_changes import contract_terms
from featurestore.quality.gate.inspection import require
from featurestore.quality.gate.quarantine import keep, refuse
from featurestore.quality.profile.profile import Profile, profile
from featurestore.storage.datasets import dataset_path
from featurestore.storage.files import append_record, write_bytes, write_record
from featurestore.storage.made_by import metadata_of

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.catalog import Node
    from featurestore.definitions.contract import Contract
    from featurestore.quality.gate.inspection import Inspection
    from featurestore.quality.gate.verdict import Verdict
    from featurestore.storage.layout import Layout


def record_outcome(inspection: Inspection, node: Node, layout: Layout) -> Verdict:
    """Replace the rows of a dataset by those that passed, and write quarantine, verdict, profile and history.

    Raises
    ------
    ContractError
        If the dataset is refused. The rows in place do not change; the refused rows are in ``data/refused``.
    """
    name = node.name
    path = dataset_path(node, layout)
    verdict = inspection.verdict
    at = datetime.now(UTC)
    if verdict.decision == "refused":
        refuse(inspection, layout, name)
        append_record(run_of(verdict, None, node.contract, at), layout.history(name))
        require(verdict)
    before = layout.profile(name).read_bytes() if layout.profile(name).exists() else None
    keep(inspection, layout, name, path, metadata=metadata_of(node))
    write_record(contract_terms(node.contract), layout.contract(name))
    current = write_profile(path, node.contract, layout.profile(name), dataset=name)
    if before is not None and before != layout.profile(name).read_bytes():
        write_bytes(before, layout.profile_before(name))
    append_record(run_of(verdict, current, node.contract, at), layout.history(name))
    return verdict


def write_profile(rows: Path, contract: Contract, target: Path, *, dataset: str) -> Profile:
    """Profile a Parquet file, and write the profile to `target`."""
    result = profile(pl.scan_parquet(rows), dataset=dataset, contract=contract)
    write_record(result, target, indent=0)
    return result
