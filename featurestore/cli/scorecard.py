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
    cost: Annotated[bool, typer.Option("--cost", help="Measure also how long the join takes.")] = False,
    json: Json = False,
) -> None:
    """Show what each feature of a training set tells about the label, and which to keep or drop.

    Measures the rows of train: mutual information beside what chance alone may give, the AUC of the feature alone, missing
    values by status, late rows, rare categories, drift, features that say the same, and the services that read it.

    Example: `featurestore scorecard departures`
    """
    result = opened_at(project).quality.scorecard(name, cost=cost)
    Output(json).result(result, scorecard_text(result))


def scorecard_text(result: Scorecard) -> str:
    """Show the features, the most informative first, and the reasons of what is proposed."""
    columns = [_columns(score) for score in result.features]
    heads = dict.fromkeys(head for row in columns for head in row)
    rows = [tuple(heads), *(tuple(row.values()) for row in columns)]
    title = (
        f"{result.training_set}: {counted(len(result.features), 'feature')} and the label {result.label}, "
    )
    reasons = [
        f"{score.proposal} {score.name}: {'; '.join(score.reasons)}"
        for score in result.features
        if score.reasons
    ]
    return "\n".join([f"{title}{counted(result.rows, 'row')} of train", table(rows), *reasons])


def _columns(score: FeatureScore) -> dict[str, str]:
    cost = {} if score.cost is None else {"µs a row": f"{score.cost:,.0f}"}
    return {
        "feature": score.name,
        "proposal": score.proposal,
        "information": _percent(score.information),
        "by chance": _percent(score.chance),
        "AUC": "" if score.auc is None else f"{score.auc:.3f}",
        "missing": f"{sum(score.missing.values()):.1%}",
        "late": f"{score.late:.1%}",
        "rare": "" if score.rare is None else f"{score.rare:,}",
        **cost,
        "drift": score.drift,
        "services": ", ".join(score.services),
    }


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"
