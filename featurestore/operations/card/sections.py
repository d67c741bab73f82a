"""The sections of a data card: what each says, and from which fact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.operations.card.strategy_texts import sample_text, split_text
from featurestore.report.card import Section
from featurestore.splits.assign import LEFT_OUT
from featurestore.values.wording import PERSONAL, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from featurestore.definitions.catalog import Node
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.definitions.source import Source
    from featurestore.operations.training_set.build_record import BuildRecord
    from featurestore.operations.training_set.manifest import TrainingManifest
    from featurestore.preprocessing.state import FittedState
    from featurestore.quality.gate.verdict import Verdict


MAX_CLASSES = 20


def sections(
    training: TrainingSet,
    record: BuildRecord,
    declared: Mapping[str, str],
    *,
    sources: Sequence[Source],
    verdicts: Sequence[tuple[Node, Verdict]],
    fitted: FittedState | None,
) -> Iterator[Section]:
    """Write the sections of a card, in their order.

    Parameters
    ----------
    declared
        What the schema of the training set declares: licence, permitted use, known limits, URL.
    sources
        The sources that went in.
    verdicts
        The verdict of each source, dataset and view that went in.
    fitted
        What the steps of the service learned. None: it has no steps.
    """
    manifest = record.manifest
    yield Section(
        "Facts",
        head=("fact", "value"),
        rows=(
            ("owner", training.owner),
            ("licence", declared["licence"]),
            ("permitted use", declared["permitted_use"]),
            ("page", declared["url"]),
            ("rows", f"{manifest.rows:,}"),
            ("columns", f"{len(manifest.columns):,}"),
            ("built at", record.built_at.isoformat()),
            ("git revision", record.revision or "not in a repository"),
            ("digest of the rows", manifest.digest),
        ),
    )
    yield Section("Known limits", (declared["limits"], *manifest.warnings))
    yield Section(
        "Sources",
        head=("source", "description", "owner", "licence"),
        rows=tuple(
            (source.name, source.description, source.owner, str(source.contract.metadata["licence"]))
            for source in sources
        ),
    )
    yield _label(training, manifest)
    yield from label_sections(manifest)
    yield _splits(training, manifest)
    yield from _sample(training, manifest)
    yield _exclusions(training, manifest, verdicts)
    yield _features(training)
    if fitted is not None:
        yield _fitted(fitted)
    yield Section(
        "Columns",
        head=("column", "dtype", "unit", "description"),
        rows=tuple(
            (column.name, f"{column.dtype}", column.unit or "", column.description or "")
            for column in training.joined.columns
        ),
    )
    yield Section("Packages", head=("package", "version"), rows=tuple(sorted(record.packages.items())))


def _label(training: TrainingSet, manifest: TrainingManifest) -> Section:
    column = training.contract[training.label]
    text = f"{training.label}: {column.description}."
    if training.matures is not None:
        text += f" A label is known at: {training.matures} (a time after the row, or a column)."
    if manifest.classes:
        text += " A row may have several classes, or none."
    counts = manifest.labels if len(manifest.labels) <= MAX_CLASSES and not column.personal else {}
    rows = tuple((value, f"{count:,}", f"{count / manifest.rows:.1%}") for value, count in counts.items())
    return Section("Label", (text,), ("value", "rows", "share"), rows)


def label_sections(manifest: TrainingManifest) -> Iterator[Section]:
    """Say who labelled, how far they agree, and which answers have a label."""
    agreement, served = manifest.agreement, manifest.served
    if agreement is not None and manifest.labellers is not None:
        chosen = manifest.labellers
        order = f": {', '.join(chosen.order)}" if chosen.order else ""
        kappa = (
            "not defined" if agreement.kappa is None else f"{agreement.kappa:.3f} ({agreement.measure_name})"
        )
        share = "no such row" if not agreement.shared else f"{agreement.equal / agreement.shared:.1%}"
        yield Section(
            "Labellers",
            head=("fact", "value"),
            rows=(
                ("labellers", f"{agreement.labellers:,}"),
                ("policy", f"{chosen.policy}{order}"),
                ("rows with several labellers", f"{agreement.shared:,} of {agreement.rows:,}"),
                ("rows on which they agree", share),
                ("kappa", kappa),
            ),
        )
    if served is not None:
        yield Section(
            "Answers",
            (f"The rows are answers of service {manifest.service}, from its served log.",),
            head=("what", "count"),
            rows=(
                ("answers", f"{served.answers:,}"),
                ("answers without a label", f"{served.unlabelled:,}"),
                ("answers that repeat a request", f"{served.repeated:,}"),
                ("labels without an answer", f"{served.unserved:,}"),
                ("answers of other definitions", f"{sum(part.answers for part in served.others):,}"),
            ),
        )


def _splits(training: TrainingSet, manifest: TrainingManifest) -> Section:
    if not manifest.splits:
        return Section("Splits", ("The training set declares no split.",))
    is_personal = training.contract[training.label].personal
    rows = []
    for name, part in manifest.splits.items():
        classes = [f"{value} {count / part.rows:.1%}" for value, count in part.labels.items()][:MAX_CLASSES]
        balance = PERSONAL if is_personal else ", ".join(classes)
        period = f"{part.first.isoformat()} to {part.last.isoformat()}"
        rows.append((name, f"{part.rows:,}", balance, period, part.digest))
    how = tuple(split_text(strategy, training.identity) for strategy in manifest.split)
    return Section("Splits", how, ("split", "rows", "classes", "period", "digest"), tuple(rows))


def _sample(training: TrainingSet, manifest: TrainingManifest) -> Iterator[Section]:
    if manifest.sampled is not None and manifest.sample is not None:
        sampled = manifest.sampled
        is_personal = training.contract[training.label].personal
        prior = {} if is_personal else sampled.prior
        yield Section(
            "Sample",
            (
                sample_text(manifest.sample, is_personal=is_personal),
                f"{counted(sampled.rows, 'row')} of {sampled.rows_before:,} in train, {sampled.repeated:,} repeated.",
            ),
            ("class", "share before"),
            tuple((value, f"{share:.1%}") for value, share in prior.items()),
        )


def _exclusions(
    training: TrainingSet, manifest: TrainingManifest, verdicts: Sequence[tuple[Node, Verdict]]
) -> Section:
    rows = [
        (node.name, rule.name, f"{rule.broken:,}")
        for node, verdict in verdicts
        if verdict.decision == "quarantined"
        for rule in verdict.rules
        if not rule.warning
    ]
    if manifest.immature and manifest.as_of is not None:
        reason = f"{training.label} was not known at {manifest.as_of.isoformat()}"
        if manifest.counts_labels:
            reason += " (number of labels)"
        rows.append((training.name, reason, f"{manifest.immature:,}"))
    if manifest.agreement is not None and manifest.agreement.undecided:
        reason = "the policy of the labellers does not decide the label"
        rows.append((training.name, reason, f"{manifest.agreement.undecided:,}"))
    rows += [(training.name, LEFT_OUT[reason], f"{count:,}") for reason, count in manifest.left_out.items()]
    paragraphs = () if rows else ("No row was left out.",)
    return Section("Exclusions", paragraphs, ("from", "reason", "rows"), tuple(rows))


def _fitted(state: FittedState) -> Section:
    seen = state.certificate
    part = "all rows" if seen.split is None else f"split {seen.split}"
    text = (
        f"Fitted to {counted(seen.rows, 'row')} of training set {seen.training_set}, {part}: {seen.digest}."
    )
    digest = f"Digest of the fitted state: {state.digest}."
    rows = tuple(
        (f"{number}", step.step, ", ".join(step.columns)) for number, step in enumerate(state.steps, 1)
    )
    return Section("Preprocessing", (text, digest), ("order", "step", "columns"), rows)


def _features(training: TrainingSet) -> Section:
    rows = tuple(
        (f"{selection.view.name}", selection.view.description, ", ".join(selection.names))
        for selection in training.service.selections
    )
    rows += tuple(
        (view.name, view.description, ", ".join(view.feature_names)) for view in training.service.on_demand
    )
    text = f"Features of service {training.service.name}, each as it was known at the row's timestamp."
    return Section("Features", (text,), ("view", "description", "features"), rows)
