"""The quality of a project's datasets, as methods: ``project.quality``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.operations.anomalies import anomalies
from featurestore.operations.assess import assess
from featurestore.operations.compare import compare
from featurestore.operations.drift import drift
from featurestore.operations.history import history
from featurestore.operations.profile import profile
from featurestore.operations.quarantine import quarantine
from featurestore.operations.resubmit import resubmit
from featurestore.operations.scorecard import scorecard
from featurestore.operations.suggest import suggest
from featurestore.operations.validate.validate_rows import environments, validate_rows
from featurestore.operations.verdict.junit import write_junit
from featurestore.operations.verdict.verdict import verdict, verdicts
from featurestore.values.checked_calls import checked_methods

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from featurestore.operations.compare import Comparison
    from featurestore.operations.scorecard import Scorecard
    from featurestore.quality.assess import Assessment
    from featurestore.quality.change.anomalies import Anomaly
    from featurestore.quality.change.drift import Drift
    from featurestore.quality.change.history import Run
    from featurestore.quality.gate.verdict import Verdict
    from featurestore.quality.profile.profile import Profile
    from featurestore.workspace import Workspace


@checked_methods
class Quality:
    """Everything that can be asked about the quality of datasets. Made by `featurestore.Project`.

    Every method delegates to the function of its name in `featurestore.operations`, whose docstring names all errors.

    Parameters
    ----------
    workspace
        The settings, definitions, data and adapters of the project.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def verdict(self, name: str, *, last_run: bool = False) -> Verdict:
        """Read the verdict of the gate on the current rows, or on the rows of the last run."""
        return verdict(self._workspace, name, last_run=last_run)

    def verdicts(self) -> dict[str, Verdict]:
        """Read the verdict of the last run of every dataset, by name."""
        return verdicts(self._workspace)

    def profile(self, name: str) -> Profile:
        """Read the profile of a dataset or training set."""
        return profile(self._workspace, name)

    def history(self, name: str) -> list[Run]:
        """Read what each run of a dataset measured, the oldest run first."""
        return history(self._workspace, name)

    def suggest(self, reference: str, *, name: str | None = None, out: Path | None = None) -> str:
        """Draft a Pandera schema, as Python code, from a dataset or a Parquet or CSV file.

        Parameters
        ----------
        name
            Name of the schema class; by default the name of the dataset or file.
        out
            Also write the draft to this file.
        """
        return suggest(self._workspace, reference, name=name, out=out)

    def compare(self, before: str, after: str, *, key: tuple[str, ...] = ()) -> Comparison:
        """Compare two datasets, versions of one (``flights@HEAD~1``), or files: schema, and values by key.

        Parameters
        ----------
        key
            Columns that identify a row; by default the columns that the schema declares unique.
        """
        return compare(self._workspace, before, after, key=key)

    def scorecard(self, training_set: str, *, cost: bool = False) -> Scorecard:
        """Measure what each feature of a training set is worth, and propose which to keep; with `cost`, also time its join."""
        return scorecard(self._workspace, training_set, cost=cost)

    def drift(
        self,
        before: str,
        after: str | None = None,
        *,
        days: int | None = None,
        at: str | None = None,
        by: str | None = None,
    ) -> Drift:
        """Measure how far the distribution of each column moved.

        Parameters
        ----------
        before, after
            A dataset or training set; an earlier version (``flights@HEAD~1``); ``served:SERVICE``, the logged answers
            of a service; or a Parquet or CSV file, or a pattern or folder of such files.
        days
            Without `after`: compare the last days of `before` with all earlier rows.
        at
            The column of timestamps for `days`; by default ``event_timestamp``, or the only such column.
        by
            Also compare the rows of each value of this column.
        """
        return drift(self._workspace, before, after, days=days, at=at, by=by)

    def anomalies(self, name: str) -> tuple[Anomaly, ...]:
        """List the metrics of the last run of a dataset that are outside the range of its earlier runs."""
        return anomalies(self._workspace, name)

    def assess(self, name: str) -> Assessment:
        """Answer whether a dataset is accessible, sizeable, usable, understandable and reliable."""
        return assess(self._workspace, name)

    def quarantine(self, name: str, *, out: Path | None = None) -> pl.DataFrame:
        """Read the rows that the last run put in quarantine, each with its file, its row and its broken rules.

        Parameters
        ----------
        out
            Also write the rows to this CSV file, to be corrected by hand and passed to `resubmit`.
        """
        return quarantine(self._workspace, name, out=out)

    def resubmit(self, name: str, file: Path) -> Verdict:
        """Replace raw rows of a source by the corrected rows of a file, and let all rows through the gate."""
        return resubmit(self._workspace, name, file)

    def validate_rows(
        self, name: str, rows: pl.LazyFrame, *, environment: str | None = None, folder: Path | None = None
    ) -> Verdict:
        """Check rows that were sent against the contract of a dataset; the data in place do not change.

        Parameters
        ----------
        environment
            Where the rows come from; columns that the schema does not expect there may be absent. None: all are expected.
        folder
            Where the verdict and the bad rows are written.
        """
        return validate_rows(self._workspace, name, rows, environment=environment, folder=folder)

    def write_junit(
        self, path: Path, verdicts: Sequence[Verdict], *, errors: Mapping[str, str], skipped: Sequence[str]
    ) -> None:
        """Write verdicts as a JUnit XML file.

        Parameters
        ----------
        errors
            Datasets without a verdict, and the message of the error of each.
        skipped
            Datasets that the run did not reach.
        """
        write_junit(path, verdicts, errors=errors, skipped=skipped)

    def environments(self, name: str) -> tuple[str, ...]:
        """Return the names of the environments in which rows of a dataset can be checked."""
        return environments(self._workspace, name)
