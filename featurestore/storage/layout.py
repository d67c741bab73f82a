"""Where everything lies below the data folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The folders of a project's data."""

    data: Path

    def dataset(self, name: str) -> Path:
        """Rows of a source or dataset that passed the gate."""
        return self.data / "datasets" / f"{name}.parquet"

    def features(self, view: str) -> Path:
        """Rows of a feature view; the view's name is the folder's."""
        return self.data / "features" / view / "part-0.parquet"

    def pushed(self, view: str) -> Path:
        """Folder of the rows pushed to a feature view."""
        return self.data / "pushed" / view

    def deleted(self, view: str) -> Path:
        """Folder of the keys deleted from a feature view: a part of what is pushed to it, and shared as that is."""
        return self.pushed(view) / "deleted"

    def quarantine(self, name: str) -> Path:
        """Rows that broke the contract of a dataset that was accepted without them."""
        return self.data / "quarantine" / f"{name}.parquet"

    def verdict(self, name: str) -> Path:
        """Verdict of the gate on the data in place."""
        return self.data / "verdicts" / f"{name}.json"

    def contract(self, name: str) -> Path:
        """File of what was promised of the data in place when they passed."""
        return self.data / "contracts" / f"{name}.json"

    def profile(self, name: str) -> Path:
        """Profile of the data in place."""
        return self.data / "profiles" / f"{name}.json"

    def profile_before(self, name: str) -> Path:
        """Profile of the data that were in place before."""
        return self.data / "records" / "profiles" / f"{name}.json"

    def history(self, name: str) -> Path:
        """File of what each run found of a dataset, one line each."""
        return self.data / "records" / "history" / f"{name}.jsonl"

    def refused(self, name: str) -> Path:
        """Folder for what the gate refused; the last good data stay where they are."""
        return self.data / "refused" / name

    def uploads(self, name: str) -> Path:
        """Folder of what was found of data that were sent to be judged, a folder for each by its id."""
        return self.data / "uploads" / name

    def training(self, name: str) -> Path:
        """Rows of a training set."""
        return self.data / "training" / f"{name}.parquet"

    def training_manifest(self, name: str) -> Path:
        """Record of what a training set was made from."""
        return self.data / "training" / f"{name}.json"

    def training_profile(self, name: str) -> Path:
        """Profile of a training set."""
        return self.data / "training" / f"{name}.profile.json"

    @property
    def registry(self) -> Path:
        """Our own record of what is applied to Feast's registry."""
        return self.data / "registry" / "applied.json"

    @property
    def materialized(self) -> Path:
        """Record of the last materialization, beside the embedded online store."""
        return self.data / "online" / "materialized.json"

    def lock(self, view: str) -> Path:
        """File by which writers of a view wait for each other."""
        return self.data / "online" / "locks" / f"{view}.lock"

    @property
    def releases(self) -> Path:
        """Folder of the releases, each a project of its own."""
        return self.data / "releases"

    @property
    def releasing(self) -> Path:
        """File by which those who make, switch or remove releases wait for each other."""
        return self.releases / ".lock"

    @property
    def keys(self) -> Path:
        """API keys, as digests."""
        return self.data / "serving" / "keys.json"

    def served(self, service: str) -> Path:
        """Folder of the vectors that were served, as logged."""
        return self.data / "served" / service

    @property
    def materializations(self) -> Path:
        """History of all materializations, one line each."""
        return self.data / "records" / "materializations.jsonl"

    @property
    def audit(self) -> Path:
        """Record of the last parity audit."""
        return self.data / "records" / "audit.json"

    @property
    def report(self) -> Path:
        """The HTML page over all datasets."""
        return self.data / "report.html"

    def page(self, name: str) -> Path:
        """HTML page of a dataset."""
        return self.data / "reports" / f"{name}.html"

    @property
    def pages(self) -> Path:
        """Record of the pages that were made, beside them."""
        return self.data / "reports" / "pages.json"
