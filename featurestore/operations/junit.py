"""JUnit: write verdicts of the gate as a JUnit XML file, for continuous integration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.storage.files import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from featurestore.quality.gate.verdict import Verdict


def write_junit(
    path: Path, verdicts: Sequence[Verdict], *, unjudged: Mapping[str, str], waiting: Sequence[str]
) -> None:
    """Write verdicts as a JUnit XML file.

    Parameters
    ----------
    unjudged
        Datasets without a verdict, and the message of the error of each.
    waiting
        Datasets that the run did not reach.
    """
    from featurestore.report.junit import junit  # noqa: PLC0415 - only this command writes XML

    write_text(junit(verdicts, errors=dict(unjudged), skipped=waiting), path)
