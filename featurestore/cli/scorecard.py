"""The command that shows what the features of a training set are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json, opened_at
from featurestore.cli.output import Output, table
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from featurestore.project import FeatureScore, Scorecard


def scorecard(
    name: Annotated[str, typer.Argument(help="A training set that is built.", show_default=False)],
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Show what each feature of a training set tells about the label, and which to keep or drop.

    Measures the rows of train: mutual information, the AUC of the feature alone, missing values by status, late rows, the
    cost of the join, drift, features that say the same, and the services that read it.

    Example: `featurestore scorecard departures`
    """
    result = opened_at(project).quality.scorecard(name)
    Output(json).result(result, scorecard_text(result))


def scorecard_text(result: Scorecard) -> str:
    """Show the features, the most informative first, and the reasons of what is proposed."""
    rows: list[tuple[str, ...]] = [
        ("feature", "proposal", "information", "AUC", "missing", "late", "µs a row", "drift", "services")
    ]
    rows += [_row(score) for score in result.features]
    title = (
        f"{result.training_set}: {counted(len(result.features), 'feature')} and the label {result.label}, "
    )
    reasons = [
        f"{score.proposal} {score.name}: {'; '.join(score.reasons)}"
        for score in result.features
        if score.reasons
    ]
    return "\n".join([f"{title}{counted(result.rows, 'row')} of train", table(rows), *reasons])


def _row(score: FeatureScore) -> tuple[str, ...]:
    return (
        score.name,
        score.proposal,
        "" if score.information is None else f"{score.information:.2%}",
        "" if score.auc is None else f"{score.auc:.3f}",
        f"{sum(score.missing.values()):.1%}",
        f"{score.late:.1%}",
        f"{score.cost:,.0f}",
        score.drift,
        ", ".join(score.services),
    )
