"""The shop, whose answers get labels afterwards: by request id, or by key and time, from one labeller or several."""

from datetime import UTC, datetime, timedelta

import featurestore

NOW = datetime(2024, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
SCHEMAS = '''
from typing import Annotated

import pandera.polars as pa
import polars as pl


class RawOutcomes(pa.DataFrameModel):
    """What became of what was asked."""

    request_id: pl.String = pa.Field(nullable=True, description="request")
    customer: pl.Int64 = pa.Field(nullable=True, description="who came")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when")
    labeller: pl.String = pa.Field(description="who says it")
    labelled_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when they said it")
    bought: pl.Boolean = pa.Field(nullable=True, description="whether they bought")


class Outcomes(pa.DataFrameModel):
    """Outcomes of visits."""

COLUMNS
'''
COLUMNS = {
    "request_id": 'request_id: pl.String = pa.Field(description="request")',
    "customer": 'customer: pl.Int64 = pa.Field(description="who came")',
    "event_timestamp": 'event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")',
    "labeller": 'labeller: pl.String = pa.Field(description="who says it")',
    "labelled_at": 'labelled_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when")',
    "bought": 'bought: pl.Boolean = pa.Field(description="whether they bought")',
}
DEFINITIONS = '''
from datetime import timedelta

import polars as pl

from feature_repo.shop import buying
from featurestore import Frame, labelled_by, random_split, source, training_set
from schemas.outcomes import Outcomes, RawOutcomes

outcomes = source("outcomes", RawOutcomes, "data/raw/outcomes.csv", owner="shop")


@training_set(service=buying, label="bought", owner="shop", served=True, OPTIONS)
def answered(outcomes: Frame[RawOutcomes]) -> Frame[Outcomes]:
    """Whether visitors bought."""
    return outcomes.select(NAMES)
'''
HEADER = ("request_id", "customer", "event_timestamp", "labeller", "labelled_at", "bought")


def label_shop(project, *labels, columns=("request_id", "bought"), options="", **schema):
    """Declare a training set of labels of answers, and write labels: dicts of the columns of the raw file."""
    root = project.settings.root
    lines = "\n".join(f"    {schema.get(name, COLUMNS[name])}" for name in columns)
    (root / "schemas/outcomes.py").write_text(SCHEMAS.replace("COLUMNS", lines))
    names = ", ".join(map(repr, columns))
    (root / "feature_repo/outcomes.py").write_text(
        DEFINITIONS.replace("OPTIONS", options).replace("NAMES", names)
    )
    rows = [",".join(_text(label.get(name, _DEFAULTS.get(name))) for name in HEADER) for label in labels]
    (root / "data/raw/outcomes.csv").write_text("\n".join([",".join(HEADER), *rows, ""]))
    opened = featurestore.open(root)
    opened.validate("outcomes")
    return opened


_DEFAULTS = {"labeller": "ann", "bought": True}


def _text(value):
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
