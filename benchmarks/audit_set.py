"""The leaking training set of timefence's own quickstart: `audit-set` beside `timefence.audit`, on the same file.

timefence generates users, transactions and a training set with planted leaks. The features are declared here as its quickstart
declares them: the country and the sign-up day of a user, a constant of each login, and the spending of 30 days, known a day later.
timefence counts as a leak each row whose value is not what its own join gives. For each feature the benchmark prints how many cells
each calls different, and what `audit-set` says of them. Without timefence there are no data, and nothing is measured.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

import featurestore
from featurestore.operations.init.init import init

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 3
LABEL_TIME = "label_time"
SCHEMAS = '''
from typing import Annotated

import pandera.polars as pa
import polars as pl

Timestamp = Annotated[pl.Datetime, "us", "UTC"]


class RawUsers(pa.DataFrameModel):
    """Users, as they were at some times."""

    user_id: pl.Int64 = pa.Field(description="user")
    country: pl.String = pa.Field(description="country")
    signup_date: Timestamp = pa.Field(description="when the user signed up")
    updated_at: Timestamp = pa.Field(description="when this was so")
    tier: pl.String = pa.Field(description="tier")

    class Config:
        metadata = {"known": "updated_at"}


class RawTransactions(pa.DataFrameModel):
    """Transactions of users."""

    user_id: pl.Int64 = pa.Field(description="user")
    created_at: Timestamp = pa.Field(description="when")
    amount: pl.Float64 = pa.Field(description="amount", metadata={"unit": "USD"})

    class Config:
        metadata = {"known": "created_at"}


class Row(pa.DataFrameModel):
    """A row of a user."""

    user_id: pl.Int64 = pa.Field(description="user")
    event_timestamp: Timestamp = pa.Field(description="when")


class Country(Row):
    """The country of a user."""

    country: pl.String = pa.Field(description="country")


class Age(Row):
    """When a user signed up."""

    acc_age_days: pl.Int64 = pa.Field(description="day of the sign-up", metadata={"unit": "days"})


class Login(Row):
    """A login of a user."""

    days_since_login: pl.Int64 = pa.Field(description="a constant, as in the quickstart", metadata={"unit": "days"})


class Spent(Row):
    """What a user spent in the 30 days before a transaction, and with it."""

    spend_30d: pl.Float64 = pa.Field(description="spent", metadata={"unit": "USD"})
'''
DEFINITIONS = '''
from datetime import timedelta

import polars as pl

from featurestore import Entity, Frame, feature_service, feature_view, source
from schemas.churn import Age, Country, Login, RawTransactions, RawUsers, Spent

users = source("users", RawUsers, "data/raw/users.parquet", owner="churn")
transactions = source("transactions", RawTransactions, "data/raw/transactions.parquet", owner="churn")
user = Entity("user", ("user_id",))


@feature_view(entity=user, owner="churn")
def user_country(users: Frame[RawUsers]) -> Frame[Country]:
    """The country of a user."""
    return users.select("user_id", "country", event_timestamp="updated_at")


@feature_view(entity=user, owner="churn")
def account_age_days(users: Frame[RawUsers]) -> Frame[Age]:
    """The day on which a user signed up."""
    day = pl.col("signup_date").dt.date().cast(pl.Int32).cast(pl.Int64)
    return users.select("user_id", event_timestamp="updated_at", acc_age_days=day)


@feature_view(entity=user, owner="churn")
def days_since_login(transactions: Frame[RawTransactions]) -> Frame[Login]:
    """A constant of each login."""
    return transactions.select(
        "user_id", event_timestamp="created_at", days_since_login=pl.lit(1, dtype=pl.Int64)
    ).unique(["user_id", "event_timestamp"])


@feature_view(entity=user, owner="churn", delay=timedelta(days=1))
def rolling_spend_30d(transactions: Frame[RawTransactions]) -> Frame[Spent]:
    """What a user spent in the 30 days before a transaction, and with it."""
    spent = pl.col("amount").rolling_sum_by("created_at", "30d", closed="both").over("user_id")
    return transactions.select(
        "user_id", event_timestamp="created_at", spend_30d=spent.round(2)
    ).unique(["user_id", "event_timestamp"])


churn = feature_service(
    "churn", (user_country, account_age_days, rolling_spend_30d, days_since_login), owner="churn"
)
'''


def write_project(folder: Path, data: Path) -> featurestore.Project:
    """Declare the features of the quickstart, and build them from its files."""
    init(folder)
    (folder / "schemas/churn.py").write_text(SCHEMAS)
    (folder / "feature_repo/churn.py").write_text(DEFINITIONS)
    raw = folder / "data/raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name in ("users", "transactions"):
        in_utc(pl.read_parquet(data / f"{name}.parquet")).write_parquet(raw / f"{name}.parquet")
    project = featurestore.open(folder)
    for name in project.catalog.sources:
        project.validate(name)
    for name in project.catalog.views:
        project.build(name)
    return project


def in_utc(rows: pl.DataFrame) -> pl.DataFrame:
    """Give timestamps a time zone, which the quickstart leaves out."""
    return rows.with_columns(pl.col(pl.Datetime).dt.cast_time_unit("us").dt.replace_time_zone("UTC"))


def by_timefence(quickstart: Path, training: Path) -> Any:
    """Audit the training set with the features of the quickstart."""
    timefence = importlib.import_module("timefence")
    text = (quickstart / "features.py").read_text().replace('"data/', f'"{quickstart}/data/')
    names: dict[str, Any] = {}
    exec(compile(text, "features.py", "exec"), names)  # noqa: S102 - the file that timefence wrote
    features = [value for value in names.values() if isinstance(value, timefence.Feature)]
    return timefence.audit(
        str(training), features, keys=["user_id"], label_time=LABEL_TIME, max_lookback="365d", join="strict"
    )


def best(function: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return the shortest wall time and processor time of a few runs, and the last result."""
    walls, processors = [], []
    result = None
    for _ in range(RUNS):
        wall, processor = time.perf_counter(), time.process_time()
        result = function()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return min(walls), min(processors), result


def main() -> None:
    """Print for each feature how many cells each calls different, and how long each takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the data")
    arguments = parser.parse_args()
    if find_spec("timefence") is None:
        print("skipped: timefence is not installed")
        return
    generate = importlib.import_module("timefence.quickstart").generate_quickstart
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        quickstart = generate(str(folder / "quickstart"), minimal=arguments.small)
        training = quickstart / "data/train_LEAKY.parquet"
        project = write_project(folder / "shop", quickstart / "data")
        ours = folder / "train.parquet"
        in_utc(pl.read_parquet(training)).rename({LABEL_TIME: "event_timestamp"}).write_parquet(ours)
        report = best(lambda: by_timefence(quickstart, training))
        record = best(lambda: project.audit_set(ours, "churn"))
        show(report, record)


def show(report: tuple[float, float, Any], record: tuple[float, float, Any]) -> None:
    """Print both results."""
    print(f"{record[2].rows:,} rows, {len(record[2].features)} features")
    print(
        f"{'feature':18}{'timefence':>10}{'audit-set':>10}{'leaks':>8}{'stale or future':>17}{'stale':>8}{'other':>8}"
    )
    for counts, (name, detail) in zip(record[2].features, report[2].features.items(), strict=True):
        different = record[2].rows - counts.equal
        print(
            f"{name:18}{detail.leaky_row_count:>10}{different:>10}{counts.leaking:>8}{counts.stale_or_future:>17}"
            f"{counts.stale:>8}{counts.others:>8}"
        )
    print(f"{'':18}{'seconds':>10}{'CPU s':>10}")
    for subject, (wall, processor, _) in (("timefence", report), ("audit-set", record)):
        print(f"{subject:18}{wall:>10.3f}{processor:>10.3f}")
    print(f"audit-set takes {record[1] / report[1]:.2f} times the processor time of timefence")


if __name__ == "__main__":
    sys.exit(main())
