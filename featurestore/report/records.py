"""The records of a dataset: its verdict, its profiles, its runs, and the rows in quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from featurestore.errors import MissingDataError
from featurestore.quality.change.history import Run
from featurestore.quality.gate.verdict import Verdict
from featurestore.quality.profile.profile import Profile
from featurestore.report.examples import Examples, examples
from featurestore.storage.files import read_record, read_records

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.catalog import Node
    from featurestore.storage.layout import Layout


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """A run of which the gate saw no rows: they could not be read, or their columns are not those of the contract.

    Attributes
    ----------
    at
        When the run ended, in UTC.
    reason
        The message of the error.
    """

    at: datetime
    reason: str


@dataclass(frozen=True)
class Records:
    """The records of a dataset.

    Attributes
    ----------
    made_by
        The command that makes the dataset.
    accepted
        The verdict on the current data; None: no data were accepted yet.
    refused
        The verdict on newer data that were refused; None: the newest data were accepted.
    unread
        The last run, if its rows could not be read; the other records are of earlier runs then. None: they could.
    now, before
        The profiles of the current and of the previous data.
    runs
        Oldest first.
    quarantine_file, verdict_file
        The files of the last run.
    root
        The folder of the project.
    """

    node: Node
    made_by: str
    accepted: Verdict | None
    refused: Verdict | None
    unread: Unread | None
    now: Profile | None
    before: Profile | None
    runs: tuple[Run, ...]
    quarantine_file: Path
    verdict_file: Path
    root: Path

    @property
    def name(self) -> str:
        """The name of the dataset."""
        return self.node.name

    @property
    def verdict(self) -> Verdict:
        """The last verdict.

        Raises
        ------
        MissingDataError
            If there is none; the hint names the command to run.
        """
        verdict = self.refused or self.accepted
        if verdict is None:
            raise MissingDataError(f"{self.name}: there is no verdict yet", hint=f"run: {self.made_by}")
        return verdict

    @property
    def has_verdict(self) -> bool:
        """Whether the dataset came to the gate already."""
        return (self.refused or self.accepted) is not None

    @property
    def last_run(self) -> datetime | None:
        """The time of the last run, in UTC; None: there is none on this machine."""
        return self.runs[-1].at if self.runs else None

    @property
    def accepted_at(self) -> datetime | None:
        """The time when the current data were accepted, in UTC."""
        return next((run.at for run in reversed(self.runs) if run.decision != "refused"), None)

    def relative(self, path: Path) -> str:
        """Return a path relative to the folder of the project."""
        return path.relative_to(self.root).as_posix()

    def examples(self) -> Examples:
        """Read some of the rows in quarantine."""
        return examples(self.quarantine_file, self.verdict, self.node.contract)


def records_of(node: Node, layout: Layout, *, made_by: str) -> Records:
    """Read the records of a dataset.

    Parameters
    ----------
    made_by
        The command that makes the dataset.

    Raises
    ------
    StoreError
        If a record cannot be read.
    """
    name = node.name
    refusal = layout.refused(name) / "verdict.json"
    accepted = layout.verdict(name)
    refused = read_record(refusal, Verdict, made_by=made_by) if _newer(refusal, accepted) else None
    unread = layout.unread(name)
    is_last = _newer(unread, accepted if refused is None else refusal)
    profiles = (layout.profile(name), layout.profile_before(name))
    now, before = (read_record(p, Profile, made_by=made_by) if p.exists() else None for p in profiles)
    return Records(
        node=node,
        made_by=made_by,
        accepted=read_record(accepted, Verdict, made_by=made_by) if accepted.exists() else None,
        refused=refused,
        unread=read_record(unread, Unread, made_by=made_by) if is_last else None,
        now=now,
        before=before,
        runs=tuple(read_records(layout.history(name), Run)),
        quarantine_file=layout.quarantine(name) if refused is None else refusal.with_name("rows.parquet"),
        verdict_file=accepted if refused is None else refusal,
        root=layout.data.parent,
    )


def _newer(path: Path, reference: Path) -> bool:
    """Say whether a file exists and is newer than another, or the other does not exist."""
    return path.exists() and (
        not reference.exists() or path.stat().st_mtime_ns > reference.stat().st_mtime_ns
    )
