"""Views without an entity, and Delta tables, of a Feast repository."""

from pathlib import Path

import feast_repos
import polars as pl
import pytest
from feast_repos import hours, one_view, rows, write

import featurestore
from featurestore.adapters.feast.repository import FeastRepository, quiet
from featurestore.project import adopt


def market(folder: Path) -> Path:
    """Views without an entity: rates alone, and in services and on-demand views beside a view with an entity."""
    module = (
        one_view(schema='[Field(name="trips", dtype=Float64)]')
        + """
rates = FeatureView(name="rates", entities=[], ttl=timedelta(hours=1), schema=[Field(name="usd", dtype=Float64)],
    source=FileSource(name="rates_file", path="data/rates.parquet", timestamp_field="at", created_timestamp_column="written"))

@on_demand_feature_view(sources=[stats, rates], schema=[Field(name="dollars", dtype=Float64)])
def in_dollars(inputs: pd.DataFrame) -> pd.DataFrame:
    df = pd.DataFrame()
    df["dollars"] = inputs["trips"] * inputs["usd"]
    return df

@on_demand_feature_view(sources=[rates], schema=[Field(name="double", dtype=Float64)])
def doubled(inputs: pd.DataFrame) -> pd.DataFrame:
    df = pd.DataFrame()
    df["double"] = inputs["usd"] * 2
    return df

prices = FeatureService(name="prices", features=[rates, doubled])
both = FeatureService(name="both", features=[stats, rates, in_dollars])
"""
    )
    data = pl.DataFrame(
        {"at": hours(0, 0.5, 1, 1), "written": hours(0, 0.75, 1, 2), "usd": [1.1, None, 1.3, 1.4]}
    )
    files = {"data/rides.parquet": rows(trips=[1.0, 2.0, 3.0]), "data/rates.parquet": data}
    return write(folder, {"repo.py": module}, files)


def test_a_view_without_an_entity_answers_as_in_feast(tmp_path):
    """Alone, beside a view with an entity, and in on-demand views over both, every cell is the same or explained."""
    result = adopt(market(tmp_path / "repo"), write=True, version_data=False)
    catalog = featurestore.open(result.target).catalog
    assert (catalog.view("rates").entity, catalog.view("rates").keys) == (None, ())
    assert list(catalog.service("prices").key_schema) == []
    assert catalog.service("both").feature_names == ("trips", "usd", "dollars")
    assert featurestore.open(result.target).check() > 0
    assert result.unexplained == 0
    assert (result.views, result.on_demand, result.services) == ((2, 2), (2, 2), (2, 2))
    assert [(c.view, c.side, c.failure) for c in result.comparisons] == [
        ("rates", "historical", ""), ("stats", "historical", ""), ("rates", "online", ""), ("stats", "online", ""),
        ("doubled", "on demand", ""), ("in_dollars", "on demand", ""),
    ]  # fmt: skip
    assert {d.key for c in result.comparisons if c.view == "rates" for d in c.differences} == {"all"}


def test_the_registry_gives_views_without_an_entity_as_modules_do(tmp_path):
    """Feast's own lists leave their placeholder out, and Feast then refuses to register them."""
    from feast import FeatureStore  # noqa: PLC0415 - Feast takes seconds to import

    repo = market(tmp_path / "repo")
    from_modules = FeastRepository(repo)
    store = FeatureStore(repo_path=str(repo))
    with quiet():
        store.apply(from_modules.objects)
    (repo / "repo.py").unlink()
    assert FeastRepository(repo).inventory().views == from_modules.inventory().views
    result = adopt(repo, write=True, version_data=False)
    assert (result.read_from, result.unexplained) == ("registry", 0)
    assert [comparison.failure for comparison in result.comparisons] == [""] * 6


def test_a_delta_table_is_adopted_where_its_reader_is_installed(tmp_path):
    """The rows of the newest version are copied, without those that an overwrite removed."""
    deltalake = pytest.importorskip(
        "deltalake", reason="deltalake is no requirement: only `adopt` can use it"
    )
    repo = feast_repos.warehouse(tmp_path / "repo")
    table = repo / "data/delta"
    table.rmdir()
    for factor in (1, 7):
        rows = feast_repos.rows(delta_x=[factor, 2 * factor, 3 * factor])
        deltalake.write_deltalake(table, rows.rename({"event_timestamp": "ts"}), mode="overwrite")
    result = adopt(repo, write=True, version_data=False)
    assert result.unexplained == 0
    assert "view delta" not in {note.name for note in result.notes if note.kind == "left_out"}
    assert featurestore.open(result.target).dataset("delta").collect()["delta_x"].to_list() == [7, 14, 21]
    assert {c.failure.partition(" as ")[0] for c in result.comparisons if c.view == "delta"} == {
        "its file store reads a Delta table"
    }
