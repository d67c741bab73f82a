"""JUnit: write verdicts of the gate as a JUnit XML file, for continuous integration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.storage.files import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from featurestore.quality.gate.verdict import Verdict


def write_junit(
    path: Path, verdicts: Sequence[Verdict], *, errors: Mapping[str, str], skipped: Sequence[str]
) -> None:
    """Write verdicts as a JUnit XML file.

    Parameters
    ----------
    errors
        Datasets without a verdict, and the message of the error of each.
    skipped
        Datasets that the run did not reach.
    """
    from featurestore.report.junit import junit  # noqa: PLC0415 - only this command writes XML

    write_text(junit(verdicts, errors=dict(errors), skipped=skipped), path)
