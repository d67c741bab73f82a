"""Compare what Feast and an adopted project answer, and say why a cell differs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec
import polars as pl
import polars.selectors as cs

from featurestore.errors import StoreError
from featurestore.operations.adopt.cells import (
    EVENT,
    Reason,
    ViewVersions,
    answering,
    comparable,
    differing_cells,
    view_versions,
)
from featurestore.operations.get_online import get_online
from featurestore.operations.historical import historical
from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.values.key_columns import select_columns
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.complete import compute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.adapters.feast.original import FeastOriginal
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.operations.adopt.plan import AdoptedOnDemand, AdoptedView
    from featurestore.workspace import Workspace

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
Side = Literal["historical", "online", "on demand"]
MAX_ROWS = 40
FOLDER = (
    "its file store reads a Delta table as a folder of Parquet files, with rows that the table has no more"
)
MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Cells of one feature that differ for one reason, with the first of them as an example.

    Attributes
    ----------
    event, known_at
        Timestamps of the row with which Feast answers; None: no such row is known.
    """

    feature: str
    reason: Reason
    cells: int
    key: str
    timestamp: datetime
    feast: str
    ours: str
    event: datetime | None
    known_at: datetime | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """How the answers for one view compare.

    Attributes
    ----------
    view
        The name of the view in Feast.
    failure
        Why Feast does not answer, or an empty text.
    """

    view: str
    side: Side
    rows: int
    cells: int
    same: int
    differences: tuple[Difference, ...] = ()
    failure: str = ""

    @property
    def unexplained(self) -> int:
        """Cells that differ for a reason that is not known."""
        return sum(d.cells for d in self.differences if d.reason == "unexplained")


def compare_historical(workspace: Workspace, original: FeastOriginal, view: AdoptedView) -> Comparison:
    """Join the same entity rows through both: before, at and after events, and around their expiry."""
    if _is_misread(view, original):
        return _failed(view, "historical", FOLDER)
    definition = workspace.catalog.view(view.name)
    rows = view_versions(workspace, definition, view.latest_by)
    questions = _questions(rows.latest, definition)
    if questions.is_empty():
        return Comparison(view=view.feast.name, side="historical", rows=0, cells=0, same=0)
    try:
        original.register(view.feast.name)
        references = [f"{view.feast.name}:{name}" for name in definition.feature_names]
        feast = original.historical(questions, references)
    except StoreError as error:
        return _failed(view, "historical", error.message)
    ours = historical(workspace, questions, [view.name])
    return _compared(
        "historical", view=view, definition=definition, questions=questions, rows=rows, feast=feast, ours=ours
    )


def compare_online(workspace: Workspace, original: FeastOriginal, view: AdoptedView) -> Comparison:
    """Look up the same keys in both online stores, now."""
    if _is_misread(view, original):
        return _failed(view, "online", FOLDER)
    definition = workspace.catalog.view(view.name)
    rows = view_versions(workspace, definition, view.latest_by)
    keys = select_columns(rows.latest, definition.keys).unique().sort(definition.keys).head(MAX_ROWS)
    if not keys.height:
        return Comparison(view=view.feast.name, side="online", rows=0, cells=0, same=0)
    now = workspace.now()
    first = rows.latest[EVENT_TIMESTAMP].min()
    assert isinstance(first, datetime)  # noqa: S101 - rows have event timestamps
    try:
        original.register(view.feast.name)
        feast = original.online(keys, view.feast.name, definition.feature_names, start=first, end=now)
    except StoreError as error:
        return _failed(view, "online", error.message)
    ours = get_online(workspace, keys, [view.name], as_of=now)
    questions = keys.with_columns(pl.lit(now).cast(pl.Datetime("us", "UTC")).alias(EVENT_TIMESTAMP))
    return _compared(
        "online", view=view, definition=definition, questions=questions, rows=rows, feast=feast, ours=ours
    )


def compare_on_demand(workspace: Workspace, original: FeastOriginal, view: AdoptedOnDemand) -> Comparison:
    """Compute an on-demand view through both, from the features and request values that Feast reads."""
    definition = workspace.catalog.on_demand[view.name]
    by_source = []
    for source in definition.sources:
        rows = view_versions(workspace, source.view).latest
        by_source.append(
            _questions(rows, source.view).rename(dict(zip(source.view.keys, source.keys, strict=True)))
        )
    if not by_source or any(rows.is_empty() for rows in by_source):
        return _summed(view.feast.name, "on demand", 0, definition.feature_names, [])
    questions = _of_several(by_source)
    keys = [name for name in questions.columns if name != EVENT_TIMESTAMP]
    number = pl.int_range(pl.len())
    values = [
        (number * 37 % 101 + i).cast(d).alias(n) for i, (n, d) in enumerate(definition.request.schema.items())
    ]
    questions = questions.with_columns(values)
    inputs = [f"{read.view}:{feature}" for read in view.reads for feature in read.features]
    try:
        original.register(view.feast.name, *(read.view for read in view.reads))
        references = [*inputs, *(f"{view.feast.name}:{name}" for name in definition.feature_names)]
        feast = original.historical(questions, references)
    except StoreError as error:
        return _failed(view, "on demand", error.message)
    rows = questions.hstack(feast.select(name.partition(":")[2] for name in inputs))
    rows = rows.select(pl.col(name).cast(dtype) for name, dtype in definition.input_schema.items())
    ours = compute(definition, rows.with_columns(cs.float().fill_nan(None)))
    differences = []
    for feature in definition.feature_names:
        cast = comparable(feast[feature], ours[feature].dtype).cast(ours[feature].dtype, strict=False)
        cells = questions.with_columns(cast.alias("feast"), ours[feature].alias("ours")).filter(
            cast.ne_missing(ours[feature])
        )
        if cells.height:
            missing = pl.lit(None, dtype=UTC_MICROSECONDS)
            cells = cells.with_columns(missing.alias(EVENT), missing.alias(KNOWN_AT))
            differences.append(_difference(feature, "unexplained", cells, keys))
    return _summed(view.feast.name, "on demand", questions.height, definition.feature_names, differences)


def _is_misread(view: AdoptedView, original: FeastOriginal) -> bool:
    source = view.feast.source
    return source is not None and source.format == "delta" and not original.reads_delta


def _failed(view: AdoptedView | AdoptedOnDemand, side: Side, failure: str) -> Comparison:
    return Comparison(view=view.feast.name, side=side, rows=0, cells=0, same=0, failure=failure)


def _summed(
    view: str, side: Side, rows: int, features: tuple[str, ...], differences: list[Difference]
) -> Comparison:
    cells = rows * len(features)
    same = cells - sum(difference.cells for difference in differences)
    return Comparison(view=view, side=side, rows=rows, cells=cells, same=same, differences=tuple(differences))


def _questions(rows: pl.DataFrame, view: FeatureView) -> pl.DataFrame:
    sampled = rows.select(*view.keys, EVENT_TIMESTAMP).sort(*view.keys, EVENT_TIMESTAMP)
    sampled = sampled.gather_every(max(1, sampled.height // MAX_ROWS)).head(MAX_ROWS)
    event = pl.col(EVENT_TIMESTAMP)
    times = [event, event - MICROSECOND, event + SECOND]
    if view.timing.ttl is not None:
        times += [event + view.timing.ttl, event + view.timing.ttl + SECOND]
    frames = [sampled.with_columns(time.alias(EVENT_TIMESTAMP)) for time in times]
    latest = select_columns(sampled, view.keys).unique(maintain_order=True)
    frames.append(latest.with_columns(pl.lit(rows[EVENT_TIMESTAMP].max()).alias(EVENT_TIMESTAMP)))
    return pl.concat(frames).unique(maintain_order=True)


def _of_several(by_source: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Combine the questions of several views: those of each, with the keys of the others in turn."""
    combined = []
    for rows in by_source:
        questions = rows
        for others in by_source:
            missing = [name for name in others.columns if name not in questions.columns]
            if missing:
                turns = pl.int_range(rows.height, eager=True) % others.height
                questions = questions.hstack(others[turns].select(missing).get_columns())
        combined.append(questions)
    return pl.concat([frame.select(combined[0].columns) for frame in combined]).unique(maintain_order=True)


def _compared(
    side: Side,
    *,
    view: AdoptedView,
    definition: FeatureView,
    questions: pl.DataFrame,
    rows: ViewVersions,
    feast: pl.DataFrame,
    ours: pl.DataFrame,
) -> Comparison:
    latest = answering(questions, rows.latest, definition)
    differences = []
    for feature in definition.feature_names:
        cells = differing_cells(
            feature,
            feast[feature],
            ours[feature],
            answering=latest,
            versions=rows.versions,
            view=definition,
        )
        for reason in REASONS:
            chosen = cells.filter(pl.col("reason") == reason)
            if chosen.height:
                differences.append(_difference(feature, reason, chosen, definition.keys))
    return _summed(view.feast.name, side, questions.height, definition.feature_names, differences)


def _difference(feature: str, reason: Reason, cells: pl.DataFrame, keys: Sequence[str]) -> Difference:
    example = cells.row(0, named=True)
    return Difference(
        feature=feature,
        reason=reason,
        cells=cells.height,
        key=", ".join(f"{key}={example[key]}" for key in keys) or "all",
        timestamp=example[EVENT_TIMESTAMP],
        feast=str(example["feast"]),
        ours=str(example["ours"]),
        event=example[EVENT],
        known_at=example[KNOWN_AT],
    )
