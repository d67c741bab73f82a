"""The manifest of a training set: what it holds, and what it was built from."""

from __future__ import annotations

from datetime import datetime

import msgspec

from featurestore.definitions.fingerprint import Fingerprint
from featurestore.labels.agreement import Agreement
from featurestore.labels.classes import LabelClass
from featurestore.labels.declare import Labellers
from featurestore.operations.training_set.served_labels import ServedCounts
from featurestore.splits.declare import SplitStrategy
from featurestore.splits.measure import SplitPart, warnings_of
from featurestore.splits.resample import Sampled
from featurestore.splits.sample import SampleStrategy
from featurestore.values.escapes import one_line
from featurestore.values.html_table import html_table
from featurestore.values.wording import counted


class TrainingManifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a training set holds, and what it was built from.

    Attributes
    ----------
    digest
        Digest of the content (`featurestore.storage.fingerprint`).
    definition
        Digest of the definition of the feature service that was joined.
    features
        Digests of the feature files that were read, by view.
    inputs
        Digests of the dataset files that its function read, by name; and of the served log, by ``served:<service>``.
    label
        The column of labels.
    labels
        Row counts by class of the label. Empty: the label is a quantity.
    classes
        The classes of train of a label that names several of a row, in the order of the columns of a matrix. Empty: the label
        names one class, or is a quantity.
    statuses
        For each feature, the number of values with each status.
    train_statuses
        The same for the rows of train alone, without copies of rows. Empty: the training set declares neither a split nor
        a sample, so that all rows are of train.
    fingerprint
        What the training set was made by, with every definition that it reads. None: the manifest is of a former
        version of featurestore.
    as_of
        The timestamp at which labels had to be known. None: the training set does not say when labels are known, and
        was built with all of its rows.
    immature
        How many rows were left out, because their label was not known at `as_of`. With `labellers` or `served`: how many labels.
    split
        How rows were assigned to splits, with seeds and timestamps. Empty: the training set declares none.
    splits
        The splits: rows, classes, digest and overlap of each.
    left_out
        How many rows are in no split, by reason: ``gap`` or ``crossing``.
    sample, sampled
        How rows of train were kept or repeated, with the seed; and how many, with the shares of the classes before.
        None: the training set declares no sample.
    labellers, agreement
        Which label counts, if several labellers label a row; and how far they agree. None: each row has one label.
    served
        Of labels of answers: how many found an answer, and what has no partner. None: the function returns the rows.
    fitted
        Digest of the fitted state of the service, which was applied to the rows. None: the service has no steps.
    """

    name: str
    service: str
    rows: int
    columns: tuple[str, ...]
    digest: str
    definition: str
    features: dict[str, str]
    label: str
    labels: dict[str, int]
    statuses: dict[str, dict[str, int]]
    fingerprint: Fingerprint | None = None
    as_of: datetime | None = None
    immature: int = 0
    inputs: dict[str, str] = {}
    split: tuple[SplitStrategy, ...] = ()
    splits: dict[str, SplitPart] = {}
    left_out: dict[str, int] = {}
    sample: SampleStrategy | None = None
    sampled: Sampled | None = None
    fitted: str | None = None
    train_statuses: dict[str, dict[str, int]] = {}
    classes: tuple[LabelClass, ...] = ()
    labellers: Labellers | None = None
    agreement: Agreement | None = None
    served: ServedCounts | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Where splits by chance overlap, in entities or in time, or have other shares than were declared."""
        before = None if self.sampled is None else self.sampled.rows_before
        return tuple(warnings_of(self.splits, self.split, train_rows=before))

    @property
    def counts_labels(self) -> bool:
        """Whether `immature` counts labels: a row may have several, or its answer stays without one."""
        return self.labellers is not None or self.served is not None

    @property
    def immature_text(self) -> str:
        """What was left out because it was not known at `as_of`. Empty: the training set does not say when labels are known."""
        if self.as_of is None:
            return ""
        count = counted(self.immature, "label" if self.counts_labels else "row")
        return f"{count} left out: {self.label} was not known at {self.as_of.isoformat()}"

    def _repr_html_(self) -> str:
        size = f"{counted(self.rows, 'row')}, {counted(len(self.columns), 'column')}"
        labels = (
            ", ".join(f"{one_line(value)} {count:,}" for value, count in self.labels.items()) or "a quantity"
        )
        title = f"training set {self.name} of service {self.service}: {size}; {self.label}: {labels}; {self.digest}"
        if self.as_of is not None:
            title += f"; {self.immature_text}"
        for name, part in self.splits.items():
            title += f"; {name}: {counted(part.rows, 'row')}"
        statuses = list(dict.fromkeys(status for counts in self.statuses.values() for status in counts))
        rows = [
            (name, *(counts.get(status, 0) for status in statuses)) for name, counts in self.statuses.items()
        ]
        return html_table(title, ("feature", *statuses), rows)
