"""Records as HTML: a page for each dataset and an index page.

Each is a single file without scripts and without network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.source import Source
from featurestore.quality.change.history import ROWS
from featurestore.quality.gate.personal import redact
from featurestore.quality.profile.sample import Sample
from featurestore.report import formatting, svg
from featurestore.report.columns import ColumnCard, column_card
from featurestore.report.trends import trend, trends
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from jinja2 import Environment

    from featurestore.definitions.catalog import Catalog
    from featurestore.quality.change.drift import Drift
    from featurestore.quality.profile.profile import Profile
    from featurestore.report.news import News
    from featurestore.report.records import Records

MAX_PLOTTED = 30
MAX_COLUMNS = 300
MAX_RULES = 100
MAX_PAIRS = 15
RUNS_IN_TABLE = 20
CORRELATED = 0.5
STATUSES = ("PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE")
# The states of a dataset, the worst first, each in words.
STATES = {
    "unread": "could not be read",
    "refused": "refused",
    "quarantined": "quarantined",
    "passed": "passed",
    "waiting": "not run yet",
}
STYLE = files("featurestore.report").joinpath("templates", "style.css")


@dataclass(frozen=True)
class Index:
    """What the index page shows. A step that has not run yet is None, or empty.

    Attributes
    ----------
    audit, materialized
        The records of these operations (`featurestore.operations`).
    training_sets
        The manifests of the training sets.
    news
        What is new since the last report.
    drifts
        How far each dataset that has an earlier profile moved from it.
    """

    catalog: Catalog
    records: Mapping[str, Records]
    audit: Any
    materialized: Any
    training_sets: Sequence[Any]
    news: News
    drifts: Mapping[str, Drift]


def dataset_page(records: Records, *, notes: Sequence[str] = ()) -> str:
    """Show a dataset: verdict, broken rules, distributions, quarantine and history.

    Parameters
    ----------
    notes
        Changes (drift, anomalies), a sentence each; the page shows them below the broken rules.
    """
    contract = records.node.contract
    verdict = redact(records.verdict, contract)
    suspects = {name for count in verdict.rules for name in count.rule.columns}
    cards = _cards(records, suspects)
    return (
        _environment()
        .get_template("dataset.html.j2")
        .render(
            records=records,
            node=records.node,
            kind=kind_of(records),
            verdict=verdict,
            state=state_of(records),
            words=STATES,
            sentence=sentence(records),
            rules=verdict.rules[:MAX_RULES],
            more_rules=max(len(verdict.rules) - MAX_RULES, 0),
            examples=records.examples(),
            notes=notes,
            plotted=[card for card in cards if card.plotted],
            plain=[card for card in cards if not card.plotted],
            more_columns=max(len(records.now.columns) - MAX_COLUMNS, 0) if records.now else 0,
            correlations=_correlations(records),
            trends=trends(records.runs, contract),
            runs=records.runs[-RUNS_IN_TABLE:],
        )
    )


def index_page(index: Index) -> str:
    """Show all datasets with their verdicts, and whether training and serving agree."""
    catalog = index.catalog
    features = {name: view.features for name, view in catalog.views.items()}
    features |= {name: view.features for name, view in catalog.on_demand.items()}
    states = [state_of(records) for records in index.records.values()]
    plots = {name: trend(records.runs, ROWS).line for name, records in index.records.items()}
    lines = {name: line for name, line in plots.items() if line is not None}
    return (
        _environment()
        .get_template("index.html.j2")
        .render(
            index=index,
            groups={
                "Raw data at the gate": [index.records[name] for name in catalog.sources],
                "Derived datasets": [index.records[name] for name in catalog.datasets],
                "Feature views": [index.records[name] for name in catalog.views],
            },
            counts={state: states.count(state) for state in STATES},
            words=STATES,
            state_of=state_of,
            drifted=drifted,
            current_data=current_data,
            lines=lines,
            features=features,
            statuses=STATUSES,
            stacked=svg.stacked,
        )
    )


def kind_of(records: Records) -> str:
    """Return the kind of a dataset in words."""
    if isinstance(records.node, Source):
        return "source"
    return "feature view" if isinstance(records.node, FeatureView) else "dataset"


def state_of(records: Records) -> str:
    """Return the last decision of the gate; ``unread`` if the last run could not read its rows, ``waiting`` without a run."""
    if records.unread is not None:
        return "unread"
    return records.verdict.decision if records.has_verdict else "waiting"


def sentence(records: Records) -> str:
    """Describe the decision of the gate, or why it saw no rows."""
    if records.unread is not None:
        return f"The last run could not read its rows ({records.unread.reason}); this page is about earlier runs."
    verdict = records.verdict
    contract = verdict.contract
    if verdict.decision == "passed":
        passed = f"All of {counted(verdict.rows_in, 'row')} passed contract {contract}"
        warnings = len(verdict.rules)
        if not warnings:
            return f"{passed}."
        return f"{passed}, with {counted(warnings, 'warning')}."
    rows = verdict.rows_quarantined
    bad = (
        f"{formatting.count(rows)} of {counted(verdict.rows_in, 'row')} "
        f"({formatting.share(rows / (verdict.rows_in or 1))})"
    )
    if verdict.decision == "quarantined":
        state = "is in quarantine" if rows == 1 else "are in quarantine"
        return f"{bad} broke contract {contract} and {state}; the others passed."
    subject = f"{bad} {'breaks' if rows == 1 else 'break'}" if rows else "The dataset as a whole breaks"
    return f"{subject} contract {contract}. {current_data(records)}"


def current_data(records: Records) -> str:
    """Describe which data are in place after newer data were refused."""
    if records.accepted is None:
        return "There are no earlier data."
    if records.accepted_at is None:
        return "The last good data stay in place."
    return f"The last good data, of {formatting.timestamp(records.accepted_at)}, stay in place."


def drifted(drift: Drift) -> str:
    """Say how many columns drifted as far as the dataset did."""
    columns = sum(column.severity == drift.severity for column in drift.columns)
    return f"in {columns:,} {'column' if columns == 1 else 'columns'}"


def _cards(records: Records, suspects: Collection[str]) -> list[ColumnCard]:
    """Describe the columns in their order.

    If there are many, plot those that broke a rule, then the first ones.
    """
    if records.now is None:
        return []
    declared = {column.name: column for column in records.node.contract.columns}
    before = records.before.columns if records.before else {}
    columns = dict(list(records.now.columns.items())[:MAX_COLUMNS])
    plotted = {*sorted(columns, key=lambda name: name not in suspects)[:MAX_PLOTTED]}
    return [
        column_card(name, declared.get(name), before.get(name), profile, plotted=name in plotted)
        for name, profile in columns.items()
    ]


def _correlations(records: Records) -> list[tuple[str, str, float | None, float]]:
    """List the pairs of number columns with a high rank correlation, the highest first."""
    if records.now is None:
        return []
    now = _first_columns(records.now).correlations()
    before = _first_columns(records.before).correlations() if records.before else {}
    high = [(a, b, before.get((a, b)), r) for (a, b), r in now.items() if abs(r) > CORRELATED]
    return sorted(high, key=lambda pair: (-abs(pair[3]), pair[:2]))[:MAX_PAIRS]


def _first_columns(profile: Profile) -> Profile:
    # Hundreds of columns have tens of thousands of pairs.
    columns = dict(list(profile.sample.columns.items())[:MAX_PLOTTED])
    return msgspec.structs.replace(profile, sample=Sample(profile.sample.hashes, columns))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - only reports need it

    environment = Environment(
        loader=PackageLoader("featurestore.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": formatting.count,
        "number": formatting.number,
        "share": formatting.share,
        "timestamp": formatting.timestamp,
        "measured": formatting.measured,
        "short": formatting.short,
        "breakable": formatting.breakable,
    }
    return environment
