"""A project works in a folder of any name: no character of a path is a pattern."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from shop import build_shop, write_files

AT = datetime(2024, 1, 10, tzinfo=UTC)
ENTITIES = pl.DataFrame(
    {"customer": [1, 3], "event_timestamp": [AT - timedelta(days=4.5), AT], "basket": [1.0, 2.0]},
    schema_overrides={"event_timestamp": pl.Datetime("us", "UTC")},
)


def order_of(customer):
    """Return a row to push."""
    at = pl.lit(AT - timedelta(days=1)).cast(pl.Datetime("us", "UTC"))
    return pl.select(
        customer=pl.lit(customer).cast(pl.Int64),
        event_timestamp=at,
        amount=pl.lit(3.0).cast(pl.Float32),
        coupon=pl.lit("none"),
        ordered_at=at,
    )


def write(frame, path):
    """Write a frame in the format of the file's name."""
    writers = {".parquet": frame.write_parquet, ".csv": frame.write_csv, ".jsonl": frame.write_ndjson}
    writers[path.suffix](path)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Give the shop in a folder whose name is a pattern, a set of choices and a Hive partition."""
    return build_shop(write_files(tmp_path_factory.mktemp("names") / "day=1 [a-b] {c} ü" / "shop*?"))


def test_features_are_built_joined_and_served(project):
    """Every command reads the files of the project, and those alone."""
    project.materialize(["last_order"])
    project.push("last_order", order_of(9))
    project.training_set("visits")
    assert project.read_training_set("visits").polars().height == 5
    assert project.get_online([{"customer": 9, "basket": 6.0}], "buying")["ratio"].to_list() == [2.0]
    assert project.explain(ENTITIES.tail(1), "buying").keys() == {"last_order"}
    assert project.delete("last_order", pl.DataFrame({"customer": [9]})) == 1
    assert project.audit().mismatches == 0
    assert project.check_leaks() is not None
    assert project.quality.compare("visits", "visits").rows == (5, 5)
    assert "visits" in project.report().with_name("report.html").read_text()


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_rows_of_a_file_are_joined(project, suffix):
    """Entity rows of each format, and SQL over the datasets, from a file whose name is a pattern."""
    path = project.settings.root / f"rows[1]*.{suffix}"
    path.with_name(f"rows1x.{suffix}").write_text("another file, which the pattern would find")
    write(ENTITIES, path)
    assert project.historical(path, "buying")["amount"].to_list() == [None, 8.0]
    pushed = path.with_name(f"pushed[1]*.{suffix}")
    write(order_of(8), pushed)
    assert project.push("last_order", pushed).rows == 1


def test_sql_reads_the_datasets(project):
    """A query over the project's datasets reads them by their exact paths."""
    sql = (
        "SELECT customer, ordered_at AS event_timestamp, 1.0::DOUBLE AS basket FROM orders WHERE customer = 3"
    )
    assert project.historical(sql, "buying").height == 2
