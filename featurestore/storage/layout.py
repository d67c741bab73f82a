"""The path of each file below the data folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def version_record(path: Path) -> Path:
    """Return where DVC keeps the record of a version of a file or folder that belongs to no stage: beside it."""
    return path.with_name(f"{path.name}.dvc")


def has_version(path: Path) -> bool:
    """Return whether DVC has a version of a file or folder that belongs to no stage."""
    return version_record(path).exists()


@dataclass(frozen=True)
class Layout:
    """The folders of a project's data."""

    data: Path

    @property
    def raw(self) -> Path:
        """Folder of the raw files."""
        return self.data / "raw"

    def dataset(self, name: str) -> Path:
        """File of the rows of a source or dataset that passed the gate."""
        return self.data / "datasets" / f"{name}.parquet"

    def features(self, view: str) -> Path:
        """File of the built rows of a feature view, in a folder with the name of the view."""
        return self.data / "features" / view / "part-0.parquet"

    @property
    def all_pushed(self) -> Path:
        """Folder of the rows pushed to all feature views; in a release a link to that of the project."""
        return self.data / "pushed"

    def pushed(self, view: str) -> Path:
        """Folder of the rows pushed to a feature view."""
        return self.all_pushed / view

    @property
    def project_data(self) -> Path:
        """The data folder of the project; in a release that of the project that it was made from."""
        # The folder of pushed rows of a release is a link to that of its project.
        return self.all_pushed.resolve().parent if self.all_pushed.is_symlink() else self.data

    def pushing(self, view: str) -> Path:
        """Lock file of the log of a feature view, which a project and its releases share."""
        return self.project_data / "online" / "locks" / f"{view}.pushing.lock"

    def deleted(self, view: str) -> Path:
        """Folder of the keys that were deleted from a feature view.

        Releases share it, as they share pushed rows.
        """
        return self.pushed(view) / "deleted"

    def commits(self, view: str) -> Path:
        """Record of the pushes and deletions of a feature view that an online store holds. Releases share it."""
        return self.all_pushed / f"{view}.commits.jsonl"

    def quarantine(self, name: str) -> Path:
        """File of the rows that broke the contract of an accepted dataset."""
        return self.data / "quarantine" / f"{name}.parquet"

    def verdict(self, name: str) -> Path:
        """Verdict of the gate on the current data."""
        return self.data / "verdicts" / f"{name}.json"

    def contract(self, name: str) -> Path:
        """Contract of the current data at the time when they passed the gate."""
        return self.data / "contracts" / f"{name}.json"

    def profile(self, name: str) -> Path:
        """Profile of the current data."""
        return self.data / "profiles" / f"{name}.json"

    def profile_before(self, name: str) -> Path:
        """Profile of the previous data."""
        return self.data / "records" / "profiles" / f"{name}.json"

    def history(self, name: str) -> Path:
        """History of a dataset: one JSON line for each run of the gate."""
        return self.data / "records" / "history" / f"{name}.jsonl"

    @property
    def replacing(self) -> Path:
        """Folder of the journals and locks of files that are replaced together."""
        return self.data / "records" / "replacing"

    def refused(self, name: str) -> Path:
        """Folder for data that the gate refused. The last good data stay in place."""
        return self.data / "refused" / name

    def unread(self, name: str) -> Path:
        """Record of a run whose rows could not be read or compared with their contract."""
        return self.refused(name) / "unread.json"

    def uploads(self, name: str) -> Path:
        """Folder of the results for uploaded data, with one folder for each upload."""
        return self.data / "uploads" / name

    def training(self, name: str) -> Path:
        """File of the rows of a training set."""
        return self.data / "training" / f"{name}.parquet"

    def fitted_training(self, name: str) -> Path:
        """File of the rows of a training set after the steps of its service."""
        return self.data / "training" / f"{name}.fitted.parquet"

    def training_manifest(self, name: str) -> Path:
        """Record of the inputs of a training set."""
        return self.data / "training" / f"{name}.json"

    def training_profile(self, name: str) -> Path:
        """Profile of a training set."""
        return self.data / "training" / f"{name}.profile.json"

    def fitted(self, service: str) -> Path:
        """State of the steps of a feature service, as fitted by its training set."""
        return self.data / "fitted" / f"{service}.json"

    def training_record(self, name: str) -> Path:
        """Record of the last build of a training set, by which it is built again."""
        return self.data / "records" / "training" / f"{name}.json"

    def card(self, name: str) -> Path:
        """HTML page of the data card of a training set; Markdown and Croissant are next to it."""
        return self.data / "cards" / f"{name}.html"

    @property
    def registry(self) -> Path:
        """Record of the definitions that are applied to Feast's registry."""
        return self.data / "registry" / "applied.json"

    @property
    def materialized(self) -> Path:
        """Record of the last materialization, beside the embedded online store."""
        return self.data / "online" / "materialized.json"

    def lock(self, view: str) -> Path:
        """Lock file of the writers of a view."""
        return self.data / "online" / "locks" / f"{view}.lock"

    @property
    def releases(self) -> Path:
        """Folder of the releases. Each release is a project of its own."""
        return self.data / "releases"

    @property
    def current_release(self) -> Path:
        """Link to the active release."""
        return self.releases / "current"

    @property
    def releasing(self) -> Path:
        """Lock file for creating, switching and removing releases."""
        return self.releases / ".lock"

    @property
    def keys(self) -> Path:
        """Digests of the API keys."""
        return self.data / "serving" / "keys.json"

    @property
    def all_served(self) -> Path:
        """Folder of the logs of served vectors, which a project and its releases share."""
        return self.project_data / "served"

    def served(self, service: str) -> Path:
        """Folder of the log of the vectors that a service answered."""
        return self.all_served / service

    def definition(self, digest: str) -> Path:
        """Fingerprint of a digest that the online store carries."""
        return self.data / "records" / "definitions" / f"{digest.removeprefix('sha256:')}.json"

    @property
    def materializations(self) -> Path:
        """History of the materializations, one JSON line each."""
        return self.data / "records" / "materializations.jsonl"

    @property
    def audit(self) -> Path:
        """Record of the last parity audit."""
        return self.data / "records" / "audit.json"

    @property
    def leaks(self) -> Path:
        """Record of the last check for leaks."""
        return self.data / "records" / "leaks.json"

    @property
    def report(self) -> Path:
        """HTML page about all datasets."""
        return self.data / "report.html"

    def page(self, name: str) -> Path:
        """HTML page about a dataset."""
        return self.data / "reports" / f"{name}.html"

    @property
    def pages(self) -> Path:
        """Record of the HTML pages that were written."""
        return self.data / "reports" / "pages.json"

    @property
    def reported(self) -> Path:
        """Record of the runs that the last report showed."""
        return self.data / "reports" / "reported.json"
