"""What is recorded of a dataset, read from where it lies: the verdict, the profiles, the runs, rows that were kept back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurestore.errors import MissingDataError
from featurestore.quality.change.history import Run
from featurestore.quality.gate.verdict import Verdict
from featurestore.quality.profile.profile import Profile
from featurestore.report.examples import Examples, examples
from featurestore.storage.files import read_record, read_records

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from featurestore.definitions.catalog import Node
    from featurestore.storage.layout import Layout


@dataclass(frozen=True)
class Records:
    """What is recorded of a dataset.

    Attributes
    ----------
    accepted
        Verdict on the data in place; None: none were accepted yet.
    refused
        Verdict on what was refused since.
    now, before
        Profiles of the data in place, and of those that were in place before.
    runs
        Oldest first.
    kept_back, verdict_file
        Where the rows that broke the contract, and the last verdict, lie.
    folder
        What their paths are told from.
    """

    node: Node
    made_by: str
    accepted: Verdict | None
    refused: Verdict | None
    now: Profile | None
    before: Profile | None
    runs: tuple[Run, ...]
    kept_back: Path
    verdict_file: Path
    folder: Path

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.node.name

    @property
    def verdict(self) -> Verdict:
        """The last verdict.

        Raises
        ------
        MissingDataError
            If there is none; names the command to run.
        """
        verdict = self.refused or self.accepted
        if verdict is None:
            raise MissingDataError(f"{self.name}: the gate has not seen it yet", hint=f"run: {self.made_by}")
        return verdict

    @property
    def judged(self) -> bool:
        """Whether there is a verdict."""
        return (self.refused or self.accepted) is not None

    @property
    def ran_at(self) -> datetime | None:
        """When the gate saw it last."""
        return self.runs[-1].at if self.runs else None

    @property
    def good_at(self) -> datetime | None:
        """When the data in place were accepted."""
        return next((run.at for run in reversed(self.runs) if run.decision != "refused"), None)

    def place(self, path: Path) -> str:
        """Tell a path from the project's folder."""
        return path.relative_to(self.folder).as_posix()

    def examples(self) -> Examples:
        """Take some of the rows that were kept back."""
        return examples(self.kept_back, self.verdict, self.node.contract)


def records_of(node: Node, layout: Layout, *, made_by: str) -> Records:
    """Read what is recorded of a dataset.

    Raises
    ------
    StoreError
        If a record cannot be read.
    """
    name, refusal = node.name, layout.refused(node.name) / "verdict.json"
    refused = (
        read_record(refusal, Verdict, made_by=made_by) if _newer(refusal, layout.verdict(name)) else None
    )
    profiles = (layout.profile(name), layout.profile_before(name))
    now, before = (read_record(p, Profile, made_by=made_by) if p.exists() else None for p in profiles)
    accepted = layout.verdict(name)
    return Records(
        node=node,
        made_by=made_by,
        accepted=read_record(accepted, Verdict, made_by=made_by) if accepted.exists() else None,
        refused=refused,
        now=now,
        before=before,
        runs=tuple(read_records(layout.history(name), Run)),
        kept_back=layout.quarantine(name) if refused is None else refusal.with_name("rows.parquet"),
        verdict_file=accepted if refused is None else refusal,
        folder=layout.data.parent,
    )


def _newer(path: Path, other: Path) -> bool:
    """Say whether a file is there and newer than another (or the other is not there)."""
    return path.exists() and (not other.exists() or path.stat().st_mtime_ns > other.stat().st_mtime_ns)
