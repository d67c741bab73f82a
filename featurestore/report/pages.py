"""Records as HTML: a page for each dataset and one over all, each a single file that needs no network and no script."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.source import Source
from featurestore.quality.profile.profile import Profile, Sample
from featurestore.report import svg, words
from featurestore.report.columns import Story, story
from featurestore.report.trends import trend, trends

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from jinja2 import Environment

    from featurestore.definitions.catalog import Catalog
    from featurestore.report.records import Records

MAX_PLOTTED = 30
MAX_COLUMNS = 300
MAX_RULES = 100
MAX_PAIRS = 15
RUNS_IN_TABLE = 20
CORRELATED = 0.5
STATUSES = ("PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE")
STYLE = files("featurestore.report").joinpath("templates", "style.css")


@dataclass(frozen=True)
class Index:
    """What the page over all datasets shows. What has not run yet is None, or empty.

    Attributes
    ----------
    audit, materialized
        The records of these verbs (`featurestore.operations`).
    training_sets
        Their manifests.
    """

    catalog: Catalog
    records: Mapping[str, Records]
    audit: Any
    materialized: Any
    training_sets: Sequence[Any]


def dataset_page(records: Records, *, notes: Sequence[str] = ()) -> str:
    """Show one dataset: the verdict first, what failed with example rows, distributions then and now, quarantine, history.

    Parameters
    ----------
    notes
        What else was noticed (drift, anomalies), a sentence each; shown below what failed.
    """
    verdict, contract = records.verdict, records.node.contract
    personal = {column.name for column in contract.columns if column.personal}
    suspects = {name for count in verdict.rules for name in count.rule.columns}
    told = _stories(records, suspects)
    return (
        _environment()
        .get_template("dataset.html.j2")
        .render(
            records=records,
            node=records.node,
            kind=kind_of(records),
            verdict=verdict,
            state=state_of(records),
            sentence=sentence(records),
            rules=verdict.rules[:MAX_RULES],
            more_rules=max(len(verdict.rules) - MAX_RULES, 0),
            examples=records.examples(),
            notes=notes,
            plotted=[s for s in told if s.plot or s.values or s.note],
            plain=[s for s in told if not (s.plot or s.values or s.note)],
            untold=max(len(records.now.columns) - MAX_COLUMNS, 0) if records.now else 0,
            correlations=_correlations(records),
            trends=trends(records.runs, personal=personal),
            runs=records.runs[-RUNS_IN_TABLE:],
        )
    )


def index_page(index: Index) -> str:
    """Show all datasets with their verdicts, and whether training and serving agree."""
    catalog = index.catalog
    features = {name: view.features for name, view in catalog.views.items()}
    features |= {name: view.features for name, view in catalog.on_demand.items()}
    states = [state_of(records) for records in index.records.values()]
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
            counts={state: states.count(state) for state in ("refused", "quarantined", "passed", "waiting")},
            state_of=state_of,
            rows_trend=lambda records: trend(records.runs, "rows") if records.runs else None,
            features=features,
            statuses=STATUSES,
            stacked=svg.stacked,
        )
    )


def kind_of(records: Records) -> str:
    """Say what kind of dataset it is."""
    if isinstance(records.node, Source):
        return "source"
    return "feature view" if isinstance(records.node, FeatureView) else "dataset"


def state_of(records: Records) -> str:
    """Say in a word how a dataset stands: the gate's decision, or that it is waiting for it."""
    return records.verdict.decision if records.judged else "waiting"


def sentence(records: Records) -> str:
    """Say what the gate decided, and of what."""
    verdict, contract = records.verdict, records.verdict.contract
    if verdict.decision == "passed":
        kept = f"All {words.count(verdict.rows_in)} rows passed contract {contract}"
        warned = len(verdict.rules)
        return f"{kept}, with {warned} {'warning' if warned == 1 else 'warnings'}." if warned else f"{kept}."
    rows = verdict.rows_quarantined
    bad = f"{words.count(rows)} of {words.count(verdict.rows_in)} rows ({words.share(rows / (verdict.rows_in or 1))})"
    one = rows == 1
    if verdict.decision == "quarantined":
        kept = "was" if one else "were"
        return f"{bad} broke contract {contract} and {kept} kept back; the others passed."
    what = f"{bad} {'breaks' if one else 'break'}" if rows else "As a whole it breaks"
    if records.accepted is None:
        stand = "No data are in place."
    elif records.good_at is None:
        stand = "The last good data stand."
    else:
        stand = f"The last good data of {words.moment(records.good_at)} stand."
    return f"{what} contract {contract}. {stand}"


def _stories(records: Records, suspects: Collection[str]) -> list[Story]:
    """Tell of the columns in their order; of many, those that broke a rule are plotted, then the first."""
    if records.now is None:
        return []
    declared = {column.name: column for column in records.node.contract.columns}
    before = records.before.columns if records.before else {}
    columns = dict(list(records.now.columns.items())[:MAX_COLUMNS])
    plotted = {*sorted(columns, key=lambda name: name not in suspects)[:MAX_PLOTTED]}
    return [
        story(name, declared.get(name), before.get(name), profile, plotted=name in plotted)
        for name, profile in columns.items()
    ]


def _correlations(records: Records) -> list[tuple[str, str, float | None, float]]:
    """List the pairs of columns of numbers that rise and fall together, the closest first."""
    if records.now is None:
        return []
    now = _first(records.now).correlations()
    before = _first(records.before).correlations() if records.before else {}
    close = [(a, b, before.get((a, b)), r) for (a, b), r in now.items() if abs(r) > CORRELATED]
    return sorted(close, key=lambda told: (-abs(told[3]), told[:2]))[:MAX_PAIRS]


def _first(profile: Profile) -> Profile:
    # Of hundreds of columns there are tens of thousands of pairs.
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
        "count": words.count,
        "number": words.number,
        "share": words.share,
        "moment": words.moment,
        "measured": words.measured,
        "short": words.short,
        "breakable": words.breakable,
    }
    return environment
