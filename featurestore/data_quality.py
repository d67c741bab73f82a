"""What is known of a project's datasets: reached as ``project.quality``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from featurestore.adapters.dvc import fetch
from featurestore.definitions.source import Source
from featurestore.errors import ContractError, DefinitionError
from featurestore.operations.build import made_by, scan
from featurestore.operations.compare import Comparison, compare
from featurestore.operations.drift import drift_between, drift_within
from featurestore.operations.locate import Located, locate
from featurestore.operations.mend import quarantined, resubmit
from featurestore.quality.change.anomalies import Anomaly, anomalies
from featurestore.quality.change.change_summary import moved
from featurestore.quality.change.history import Run
from featurestore.quality.gate.verdict import Verdict
from featurestore.quality.profile.assess import Assessment, assess
from featurestore.quality.profile.profile import Profile
from featurestore.quality.profile.suggest import suggest
from featurestore.quality.rules.expectations import ValidationContext
from featurestore.storage.files import read_record, read_records

if TYPE_CHECKING:
    import polars as pl

    from featurestore.config import Settings
    from featurestore.definitions.catalog import Catalog
    from featurestore.ports import RawReader
    from featurestore.quality.change.drift import Drift
    from featurestore.storage.layout import Layout


class Quality:
    """Everything that can be asked about datasets. Made by `featurestore.Project`.

    Parameters
    ----------
    reader
        Reads raw files.
    """

    def __init__(self, settings: Settings, catalog: Catalog, layout: Layout, reader: RawReader) -> None:
        self._settings, self._catalog, self._layout, self._reader = settings, catalog, layout, reader

    def verdict(self, name: str) -> Verdict:
        """Read what the gate found of the data in place.

        Raises
        ------
        MissingDataError
            If it did not pass the gate yet.
        """
        command = made_by(self._catalog.node(name))
        return read_record(self._layout.verdict(name), Verdict, made_by=command)

    def profile(self, name: str) -> Profile:
        """Read the profile of a dataset or training set.

        Raises
        ------
        MissingDataError
            If it is not there yet.
        """
        if name in self._catalog.training_sets:
            path, command = self._layout.training_profile(name), f"featurestore training-set {name}"
        else:
            path, command = self._layout.profile(name), made_by(self._catalog.node(name))
        return read_record(path, Profile, made_by=command)

    def history(self, name: str) -> list[Run]:
        """Read what each run found of a dataset, oldest first."""
        self._catalog.node(name)
        return read_records(self._layout.history(name), Run)

    def suggest(self, reference: str, *, name: str | None = None) -> str:
        """Draft a Pandera schema, as Python, of a dataset or of a Parquet or CSV file.

        Parameters
        ----------
        name
            Of the class; by default that of the dataset or file.
        """
        found = self._locate(reference, Path()).profile
        title = "".join(part.title() for part in found.dataset.replace("-", "_").split("_"))
        return suggest(found, name=name or title)

    def compare(self, before: str, after: str, *, key: tuple[str, ...] = ()) -> Comparison:
        """Compare two datasets, or versions of one (``flights@HEAD~1``), or files: schema, and values by key.

        Parameters
        ----------
        key
            Columns that tell rows apart; by default those that the schema says are unique.
        """
        with TemporaryDirectory(prefix="featurestore-compare-") as folder:
            one, other = (self._locate(reference, Path(folder)) for reference in (before, after))
            return compare(one, other, names=(before, after), key=key)

    def drift(
        self,
        before: str,
        after: str | None = None,
        *,
        days: int | None = None,
        at: str | None = None,
        by: str | None = None,
    ) -> Drift:
        """Say how far the values of a dataset lie from those of another, column by column.

        Parameters
        ----------
        before, after
            A dataset or training set; a former version of one (``flights@HEAD~1``); ``served:SERVICE``, what a service
            answered, as logged; or a Parquet or CSV file.
        days, at
            Without `after`: compare the last days of `before`, by the moments of a column, with all before them.
        by
            Also compare the rows of each value of this column.
        """
        if (after is None) == (days is None) or (at is not None and days is None):
            raise ContractError(
                f"{before}: with what it is compared is not clear",
                hint="name a second dataset, or say how many of the last days; `at` goes with days",
            )
        with TemporaryDirectory(prefix="featurestore-drift-") as folder:
            one = self._locate(before, Path(folder))
            if after is None or days is not None:
                return drift_within(one, days or 0, at=at, by=by)
            return drift_between(one, self._locate(after, Path(folder)), by=by)

    def anomalies(self, name: str) -> tuple[Anomaly, ...]:
        """Name what the last run of a dataset found that its own history does not lead one to expect."""
        return anomalies(self.history(name))

    def assess(self, name: str) -> Assessment:
        """Answer the five questions about a dataset: accessible, sizeable, usable, understandable, reliable."""
        node = self._catalog.node(name)
        labels = [t.label for t in self._catalog.training_sets.values() if t.label in node.contract]
        return assess(
            name,
            node.contract,
            owner=node.owner,
            verdict=self.verdict(name),
            profile=self.profile(name),
            runs=self.history(name),
            now=self._settings.now(),
            label=next(iter(labels), None),
            notes=moved(node.contract, self.history(name), self._before(name), self.profile(name)),
        )

    def quarantined(self, name: str) -> pl.DataFrame:
        """Read the rows that the last run set apart, each with its file, its row and every rule that it broke."""
        return quarantined(name, self._layout, made_by=made_by(self._catalog.node(name)))

    def resubmit(self, name: str, mended: Path) -> Verdict:
        """Let mended rows of a source through the gate, in the place of those that they mend.

        See `featurestore.operations.mend.resubmit`.
        """
        source = self._catalog.node(name)
        if not isinstance(source, Source):
            raise DefinitionError(
                f"{name!r} is computed: its rows cannot be mended",
                hint="mend the source, or the function that computes it",
            )
        root, around = self._settings.root, self.around(name)
        return resubmit(source, mended, root, self._layout, reader=self._reader, context=around)

    def around(self, name: str) -> ValidationContext:
        """Say what is known besides a dataset's rows."""
        runs = read_records(self._layout.history(name), Run)
        volumes = tuple(int(run.metrics["rows"]) for run in runs if run.decision != "refused")

        def dataset(other: str) -> pl.LazyFrame:
            return scan(self._catalog.node(other), self._layout)

        return ValidationContext(self._settings.now(), dataset, volumes[-10:])

    def _before(self, name: str) -> Profile | None:
        path = self._layout.profile_before(name)
        return read_record(path, Profile, made_by="") if path.exists() else None

    def _locate(self, reference: str, folder: Path) -> Located:
        get = partial(fetch, self._settings.root)
        return locate(reference, self._catalog, self._layout, fetch=get, folder=folder)
