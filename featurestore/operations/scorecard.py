"""Scorecard: what each feature of a training set is worth, and which to keep or drop."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import polars as pl

from featurestore.errors import ContractError, MissingDataError
from featurestore.labels.classes import combinations
from featurestore.operations.check_leaks.labels import MIN_AUC
from featurestore.operations.training_set.fit import train_mask
from featurestore.operations.training_set.training_set import training_manifest
from featurestore.preprocessing.selectors import selected
from featurestore.preprocessing.step import Observed, is_category
from featurestore.preprocessing.target import Target
from featurestore.preprocessing.words import BagOfWords
from featurestore.quality.change.drift import drift
from featurestore.quality.feature_scores import (
    auc,
    codes_of,
    information,
    label_codes,
    rare_categories,
    rare_words,
    redundant_pairs,
)
from featurestore.quality.profile.profile import profile
from featurestore.splits.declare import SPLIT, TRAIN
from featurestore.storage.files import require_parquet
from featurestore.storage.made_by import require_made_by
from featurestore.storage.parquet import read_files
from featurestore.storage.views import scan_view
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.join import Status
from featurestore.timing.known_at import created_or_event
from featurestore.values.wording import counted
from featurestore.vectors.request import entity_rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.definitions.feature_service import FeatureService, TrainingSet
    from featurestore.operations.training_set.manifest import TrainingManifest
    from featurestore.quality.change.drift import ColumnDrift
    from featurestore.quality.feature_scores import Information
    from featurestore.workspace import Workspace

Proposal = Literal["keep", "review", "drop"]
MAX_MISSING: Final = 0.95
MAX_CHANCE: Final = 0.1
LEAK_SHARE: Final = 0.9
COST_ROWS: Final = 1_000
_MISSING: Final = (Status.NULL_VALUE, Status.NOT_FOUND, Status.OUTSIDE_MAX_AGE)


class FeatureScore(msgspec.Struct, frozen=True, kw_only=True):
    """What one feature is worth.

    Attributes
    ----------
    bits
        Mutual information with the label, in bits. None: the feature is a list.
    information
        The same as a share of what there is to know about the label, 0 to 1.
    chance
        The `information` that a feature which tells nothing may reach in this many rows.
    auc
        Area under the ROC curve of the feature alone, from 0.5; a category stands for the mean label of the other rows.
        None: the label has more than two classes, or is a quantity.
    missing
        Share of the rows of train, each once, by status: ``NULL_VALUE``, ``NOT_FOUND``, ``OUTSIDE_MAX_AGE``.
    late
        Share of the rows of its view that arrived later than the view's `delay` says. Of an on-demand feature: the largest
        share of the views that it reads.
    rare
        How many categories have fewer than 10 rows; of text that a step of the service splits into words, how many words.
        None: the feature has no categories.
    drift
        Severity of the drift from train to the other splits; without splits, from the earlier half to the later half.
    same_as
        Features that say the same, and more about the label. The first of them that is kept makes the others redundant.
    services
        The feature services that read it.
    proposal, reasons
        What to do, and why. ``review``: it predicts the label so well that it may know it, or the rows are too few to tell.
    cost
        Microseconds that it takes to join its view, with all features that the service reads from it, to a row. Of an
        on-demand feature: of all views that it reads. None: not measured.
    """

    name: str
    bits: float | None
    information: float | None
    chance: float | None
    auc: float | None
    missing: dict[str, float]
    late: float
    rare: int | None
    drift: str
    same_as: tuple[str, ...]
    services: tuple[str, ...]
    proposal: Proposal
    reasons: tuple[str, ...]
    cost: float | None = None


class Scorecard(msgspec.Struct, frozen=True, kw_only=True):
    """What the features of a training set are worth: the most informative first.

    Attributes
    ----------
    rows
        How many rows were measured: those of train, if the training set is split.
    """

    training_set: str
    label: str
    rows: int
    features: tuple[FeatureScore, ...]


def scorecard(workspace: Workspace, name: str, *, cost: bool = False) -> Scorecard:
    """Measure each feature of a training set, as it is joined, on the rows of train.

    Parameters
    ----------
    cost
        Measure also how long the join takes. Without it, equal data give an equal record.

    Raises
    ------
    ContractError
        If no row of train has a label.
    MissingDataError
        If the training set or a view that it reads is not built yet, or a former version of featurestore wrote the manifest.
    SkewError
        If another definition made the rows of the training set or of a view.
    """
    training = workspace.catalog.training_set(name)
    command = f"featurestore training-set {name}"
    path = require_parquet(workspace.layout.training(name), made_by=command)
    require_made_by(training, path)
    manifest = training_manifest(workspace, name)
    if manifest is None:
        raise MissingDataError(f"training set {name!r} has no manifest", hint=f"run: {command}")
    if (manifest.splits or manifest.sampled) and not manifest.train_statuses:
        raise MissingDataError(
            f"training set {name!r}: its manifest does not say which values of train are missing",
            hint=f"a former version wrote it; run: {command}",
        )
    rows = read_files(path)
    train = rows.filter(train_mask(rows)).drop_nulls(training.label)
    if train.is_empty():
        raise ContractError(f"training set {name!r}: no row of train has a label", hint=f"run: {command}")
    features = [feature for feature in training.service.feature_names if not train[feature].dtype.is_nested()]
    # Of several classes of a row, each combination counts as a class.
    train = train.with_columns(combinations(train[training.label]))
    label = label_codes(train[training.label])
    worth = {feature: information(codes_of(train[feature]), label) for feature in features}
    ranked = sorted(features, key=lambda feature: (-worth[feature].share, feature))
    sources = {
        feature: [selection.label for selection in training.service.joined.sources_of(feature)]
        for feature in training.service.joined.feature_names
    }
    same_as: dict[str, list[str]] = {feature: [] for feature in ranked}
    for better, worse in redundant_pairs({feature: train[feature] for feature in ranked}):
        same_as[worse].append(better)
    drifts = _drifts(training, rows)
    late = _late(workspace, training)
    costs = _costs(workspace, training, train) if cost else None
    texts = {*_texts(training.service.joined)}
    scores: list[FeatureScore] = []
    for feature in (*ranked, *(f for f in training.service.feature_names if f not in worth)):
        score = FeatureScore(
            name=feature,
            bits=worth[feature].bits if feature in worth else None,
            information=worth[feature].share if feature in worth else None,
            chance=worth[feature].chance if feature in worth else None,
            auc=_auc(train, feature, training.label),
            missing=_missing(manifest, feature),
            late=max((late[label] for label in sources[feature]), default=0.0),
            cost=None if costs is None else sum(costs[label] for label in sources[feature]),
            rare=_rare(train[feature], is_text=feature in texts),
            drift=drifts[feature].severity,
            same_as=tuple(same_as.get(feature, ())),
            services=_services(workspace, training, feature),
            proposal="keep",
            reasons=(),
        )
        kept = {before.name for before in scores if before.proposal != "drop"}
        proposal, reasons = _proposal(score, train[feature], kept, worth.get(feature))
        scores.append(msgspec.structs.replace(score, proposal=proposal, reasons=reasons))
    return Scorecard(training_set=name, label=training.label, rows=train.height, features=tuple(scores))


def _proposal(
    score: FeatureScore, values: pl.Series, kept: set[str], worth: Information | None
) -> tuple[Proposal, tuple[str, ...]]:
    """Say what to do with a feature, and why."""
    missing = sum(score.missing.values())
    tells = ""
    if worth is not None:
        tells = f"it tells {worth.share:.2%} of the label, and chance alone may give {worth.chance:.2%}"
    same = [f"it says the same as {name}" for name in score.same_as if name in kept]
    drop = []
    if values.n_unique() == 1:
        drop.append("it has one value")
    elif missing > MAX_MISSING:
        drop.append(f"{missing:.1%} of its values are missing")
    elif worth is not None and worth.is_chance:
        if worth.chance > MAX_CHANCE:
            return "review", (f"{tells}: {counted(values.len(), 'row')} are too few to decide", *same)
        drop.append(tells)
    if drop or same:
        return "drop", (*drop, *same)
    if (score.auc or 0.0) >= MIN_AUC or (score.information or 0.0) >= LEAK_SHARE:
        return "review", (
            "it predicts the label nearly alone: check when it is known, with featurestore check-leaks",
        )
    reasons = [tells] if tells else []
    if score.drift == "major":
        reasons.append("its values drift")
    if worth is None:
        reasons.append(
            "it is a list, and what it tells about the label is not measured: a step such as multi_hot makes columns of it"
        )
    return "keep", tuple(reasons)


def _rare(values: pl.Series, *, is_text: bool) -> int | None:
    if not isinstance(values.dtype, pl.String):
        return None
    return rare_words(values) if is_text else rare_categories(values)


def _texts(service: FeatureService) -> Iterator[str]:
    """List the features that a step of the service splits into words."""
    for step in service.steps:
        if isinstance(step, BagOfWords):
            yield from selected(step.columns, service.feature_schema, step.kind)


def _auc(train: pl.DataFrame, feature: str, label: str) -> float | None:
    values, labels = train[feature], train[label]
    classes = labels.unique().sort()
    if classes.len() != 2 or labels.dtype.is_float():  # noqa: PLR2004 - the curve is one of two classes
        return None
    positive = labels == classes[1]
    if is_category(values.dtype) and not values.dtype.is_integer():
        observed = Observed(values, positive, feature)
        step = Target(columns=(feature,), smooth=1.0)
        if values.null_count() == values.len():
            return None
        [values] = step.training_values(observed, step.fit(observed))
    if not (values.dtype.is_numeric() or values.dtype.is_temporal()):
        return None
    return auc(values, positive)


def _missing(manifest: TrainingManifest, feature: str) -> dict[str, float]:
    counts = (manifest.train_statuses or manifest.statuses).get(feature, {})
    rows = sum(counts.values())
    return {status.name: counts.get(status.name, 0) / rows if rows else 0.0 for status in _MISSING}


def _late(workspace: Workspace, training: TrainingSet) -> dict[str, float]:
    """Measure for each view that is read how many of its rows arrived later than it declares."""
    shares = {}
    for selection in training.service.joined.reads:
        timing = selection.view.timing
        is_late = created_or_event(timing) > pl.col(EVENT_TIMESTAMP) + pl.lit(timing.delay)
        share = scan_view(selection.view, workspace.layout).select(is_late.mean()).collect().item()
        shares[selection.label] = share or 0.0
    return shares


def _costs(workspace: Workspace, training: TrainingSet, train: pl.DataFrame) -> dict[str, float]:
    """Measure for each view that is read the time of its join, in microseconds a row, on some rows of train."""
    service = training.service.joined
    rows = train.gather_every(max(train.height // COST_ROWS, 1)).select(
        *service.key_schema, *service.request_schema, EVENT_TIMESTAMP
    )
    rows = entity_rows_of(rows, service, with_timestamp=True)
    costs = {}
    for selection, view_rows in zip(service.reads, workspace.rows_of(service), strict=True):
        start = perf_counter()
        workspace.engine.historical(rows, [view_rows])
        costs[selection.label] = (perf_counter() - start) / rows.height * 1e6
    return costs


def _drifts(training: TrainingSet, rows: pl.DataFrame) -> dict[str, ColumnDrift]:
    names = training.service.feature_names
    if SPLIT in rows.columns:
        sides = [rows.filter(pl.col(SPLIT) == TRAIN), rows.filter(pl.col(SPLIT) != TRAIN)]
    else:
        ordered = rows.sort(EVENT_TIMESTAMP, maintain_order=True)
        sides = [ordered.head(rows.height // 2), ordered.tail(rows.height - rows.height // 2)]
    before, after = (profile(side.select(names).lazy(), dataset=training.name) for side in sides)
    return {column.column: column for column in drift(before, after, training.service.features).columns}


def _services(workspace: Workspace, training: TrainingSet, feature: str) -> tuple[str, ...]:
    """List the services that read the same feature of the same view, under any name."""
    wanted = _read(training.service.joined, feature)
    return tuple(
        name
        for name, service in workspace.catalog.services.items()
        if any(_read(service, column) == wanted for column in service.feature_names)
    )


def _read(service: FeatureService, feature: str) -> tuple[str, str]:
    for selection in service.selections:
        if feature in selection.names:
            return selection.view.name, selection.features[selection.names.index(feature)]
    return next(view.name for view in service.on_demand if feature in view.feature_names), feature
