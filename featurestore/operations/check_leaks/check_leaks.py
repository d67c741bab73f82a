"""Check leaks: build each row of a view again from what was known when the row became known, and compare every bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.config import LEAK_CUTS
from featurestore.definitions.fingerprint import fingerprint
from featurestore.definitions.known import FROM_THE_START, NEVER
from featurestore.errors import UnknownNameError
from featurestore.operations.check_leaks.inputs import (
    KNOWN,
    Lineage,
    different_rows,
    lineage_of,
    version_names,
)
from featurestore.operations.check_leaks.labels import CheckedSet, label_leaks
from featurestore.operations.check_leaks.origin import Subject, origin_of
from featurestore.operations.check_leaks.record import (
    MAX_SHOWN,
    NO_ROW,
    ROW_EXISTS,
    CheckedView,
    Leak,
    LeakRecord,
    identified,
    text_of,
)
from featurestore.operations.check_leaks.state import with_others
from featurestore.operations.check_leaks.windows import BEFORE_DELAY, PAIR, LastRows, are_applicable
from featurestore.storage.files import require_parquet, write_record
from featurestore.storage.fingerprint import file_fingerprint
from featurestore.storage.made_by import made_by, require_made_by
from featurestore.storage.parquet import read_files
from featurestore.timing.epoch import timestamp_of
from featurestore.timing.known_at import Timing, known_at
from featurestore.values.bits import bits
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.workspace import Workspace

__all__ = ["LeakRecord", "check_leaks"]

_AT: Final = "__at"
MAX_COPIED_ROWS: Final = 60_000_000
COPIED_AT_ONCE: Final = 4_000_000
MAX_ORIGINS: Final = 3


def check_leaks(
    workspace: Workspace,
    names: Iterable[str] = (),
    *,
    cuts: int = LEAK_CUTS,
) -> LeakRecord:
    """Build rows of feature views again from what was known when they became known, and compare them bit by bit.

    Input rows that become known later are left out, and columns that do are blank. A view with few timestamps is built
    once for each of them. Otherwise most rows are first proven by the last rows of their key
    (`featurestore.operations.check_leaks.windows`), and the rest by builds at chosen timestamps.

    The record keeps what was checked of other views, as long as it is of their present definitions and inputs.

    Parameters
    ----------
    names
        Feature views and training sets. Empty: all views, and the training sets that their present definition made.
    cuts
        How many times a view is built at most from all that was known at a timestamp.

    Raises
    ------
    UnknownNameError
        If there is no feature view or training set with a name.
    MissingDataError
        If an input, or a training set that is named, is not built yet.
    SkewError
        If another definition made an input or a training set.
    DefinitionError
        If a function fails on the rows that were known at some timestamp, or a schema declares what cannot be read.
    """
    catalog = workspace.catalog
    named = list(names)
    sets = [name for name in named if name in catalog.training_sets]
    if unknown := [name for name in named if name not in sets and name not in catalog.views]:
        known = [*catalog.views, *catalog.training_sets]
        raise UnknownNameError("feature view or training set", unknown[0], known)
    views = [catalog.view(name) for name in named if name not in sets]
    if not named:
        sets = [name for name in catalog.training_sets if _is_built(workspace, name)]
        views = list(catalog.views.values())
    checked = []
    leaks: list[Leak] = []
    for view in views:
        lineage = lineage_of(view, catalog, workspace.layout)
        result, its_leaks = _check_view(lineage, cuts=cuts)
        checked.append(result)
        leaks.extend(its_leaks)
    record = LeakRecord(
        views=tuple(checked),
        leaks=tuple(leaks),
        training_sets=tuple(check_training_set(workspace, name) for name in sets),
    )
    write_record(with_others(workspace, record), workspace.layout.leaks)
    return record


def _is_built(workspace: Workspace, name: str) -> bool:
    path = workspace.layout.training(name)
    before = made_by(path) if path.exists() else None
    return before is not None and before.digest == fingerprint(workspace.catalog.training_set(name)).digest


def check_training_set(workspace: Workspace, name: str) -> CheckedSet:
    """Find the ways in which a kept training set reveals its label."""
    training = workspace.catalog.training_set(name)
    path = require_parquet(workspace.layout.training(name), made_by=f"featurestore training-set {name}")
    rows = read_files(require_made_by(training, path))
    return CheckedSet(
        name=name,
        rows=rows.height,
        features=len(training.service.feature_names),
        content=file_fingerprint(path),
        leaks=tuple(label_leaks(rows, training)),
    )


def _check_view(lineage: Lineage, *, cuts: int) -> tuple[CheckedView, list[Leak]]:
    """Check the rows of one feature view; returns what was checked, and the first leaks."""
    view = lineage.view
    rows = lineage.build_at(NEVER)
    full = rows.with_columns(pl.struct(*view.keys, KNOWN).rank("dense").cast(pl.Int64).alias(PAIR) - 1)
    before_delay = known_at(Timing(created=view.timing.created)).dt.epoch("us").fill_null(NEVER)
    pairs = full.group_by(*view.keys, KNOWN, PAIR).agg(before_delay.max().alias(BEFORE_DELAY)).sort(PAIR)
    pending = pairs[PAIR]
    timestamps = _timestamps(lineage, full)
    # With few timestamps a build at each of them also finds rows that later values removed.
    if timestamps.len() > cuts and are_applicable(lineage):
        last_rows = LastRows(lineage, full, pairs, copied_rows=COPIED_AT_ONCE)
        pending = last_rows.pending(MAX_COPIED_ROWS)
    if timestamps.len() > cuts:
        pending_timestamps = pairs[pending.to_list()][KNOWN].unique().sort()
        chosen = pl.concat([_spread(pending_timestamps, cuts), _spread(timestamps, max(cuts // 10, 1))])
        timestamps = chosen.unique().sort()
    lacking, additional = _differences(lineage, full, timestamps)
    leaking = pl.concat([lacking[PAIR], additional[PAIR]]).unique()
    tested = full.filter(
        ~pl.col(PAIR).is_in(pending.implode())
        | pl.col(KNOWN).is_in(timestamps.implode())
        | pl.col(PAIR).is_in(leaking.implode())
    )
    is_leaking = pl.concat([lacking.select(version_names(view)), additional.select(version_names(view))])
    checked = CheckedView(
        name=view.name,
        rows=full.height,
        tested=tested.height,
        leaking=is_leaking.unique().height,
        inputs=lineage.digests,
        known=lineage.known,
        definition=fingerprint(view).digest,
        unproven=lineage.unproven,
        static=lineage.static,
    )
    return checked, list(_described(lineage, full, lacking, additional))


def _timestamps(lineage: Lineage, full: pl.DataFrame) -> pl.Series:
    """Return when something becomes known: rows of the view, and values of its inputs."""
    columns = [leaf.frame[name] for leaf in lineage.leaves.values() for name in (KNOWN, *leaf.groups)]
    every = pl.concat([series.alias(KNOWN) for series in (full[KNOWN], *columns)])
    return every.filter(every.is_between(FROM_THE_START + 1, NEVER - 1)).unique().sort()


def _spread(values: pl.Series, count: int) -> pl.Series:
    """Return some values from the first to the last one, at equal distances."""
    if values.len() <= count:
        return values
    return values.gather([i * (values.len() - 1) // max(count - 1, 1) for i in range(count)])


def _differences(
    lineage: Lineage, full: pl.DataFrame, timestamps: pl.Series
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Build the view at timestamps, and return the rows that only the full build has, and those that only a cut has.

    Each row carries as `_AT` the first timestamp at which it differs. All rows that are known by then are compared: a
    row that changes later was not known either.
    """
    view = lineage.view
    lacking = [full.clear().with_columns(pl.lit(None, dtype=pl.Int64).alias(_AT))]
    additional = [lacking[0]]
    for at in timestamps:
        rebuilt = lineage.build_at(at).filter(pl.col(KNOWN) <= at)
        expected = full.filter(pl.col(KNOWN) <= at)
        parts = different_rows(expected, rebuilt, by=lambda name: name != PAIR)
        for frames, part in zip((lacking, additional), parts, strict=True):
            rows = (
                part if PAIR in part.columns else part.with_columns(pl.lit(None, dtype=pl.Int64).alias(PAIR))
            )
            frames.append(rows.with_columns(pl.lit(at, dtype=pl.Int64).alias(_AT)).select(frames[0].columns))
    version = version_names(view)
    first, second = (
        pl.concat(frames).unique(version, keep="first", maintain_order=True)
        for frames in (lacking, additional)
    )
    return first, second


def _described(
    lineage: Lineage, full: pl.DataFrame, lacking: pl.DataFrame, additional: pl.DataFrame
) -> Iterator[Leak]:
    """Describe the first leaks, each by its row, its feature and both values."""
    view = lineage.view
    version = version_names(view)
    both = pl.concat([lacking, additional]).unique(version, keep="first", maintain_order=True)
    shown = 0
    for row in both.iter_rows(named=True):
        identity = pl.DataFrame([{name: row[name] for name in version}], schema=both.select(version).schema)
        at = row[_AT]
        expected = full.join(identity, on=version, how="semi", nulls_equal=True)
        rebuilt = lineage.build_at(at).join(identity, on=version, how="semi", nulls_equal=True)
        for feature, values in _features(view, expected, rebuilt):
            if shown == MAX_SHOWN:
                return
            subject = Subject(identity, feature, expected)
            origin = origin_of(lineage, subject, at) if shown < MAX_ORIGINS else None
            shown += 1
            yield Leak(
                view=view.name,
                key=identified({name: row[name] for name in version}, view.contract),
                known_at=timestamp_of(row[KNOWN]),
                feature=feature,
                with_future=values[0],
                without_future=values[1],
                origin=origin,
            )


def _features(
    view: FeatureView, expected: pl.DataFrame, rebuilt: pl.DataFrame
) -> Iterator[tuple[str | None, tuple[str, str]]]:
    if expected.height != 1 or rebuilt.height != 1:
        counts = {0: NO_ROW, 1: ROW_EXISTS}
        first, second = (
            counts.get(frame.height, counted(frame.height, "row")) for frame in (expected, rebuilt)
        )
        yield None, (first, second)
        return
    for name in view.stored_schema:
        a, b = expected[name], rebuilt[name]
        if bits(a).ne_missing(bits(b)).any():
            yield name, (text_of(name, a[0], view.contract), text_of(name, b[0], view.contract))
