"""An on-demand view of several entities is proven as one of a single entity is."""

from pathlib import Path

import polars as pl
from feast_repos import one_view, rows, write

import featurestore
from featurestore.adapters.feast.original import FeastOriginal
from featurestore.adapters.feast.repository import FeastRepository
from featurestore.operations.adopt.adopt import plan_adopt
from featurestore.operations.adopt.compare import compare_on_demand
from featurestore.project import adopt


def several_entities(folder: Path) -> Path:
    """An on-demand view of features of a driver, a customer, and both together."""
    module = (
        one_view(schema='[Field(name="trips", dtype=Int64)]')
        + """
customer = Entity(name="customer", join_keys=["customer_id"])
balance = FeatureView(name="balance", entities=[customer], schema=[Field(name="amount", dtype=Float64)], ttl=timedelta(hours=2),
    source=FileSource(name="balances", path="data/balances.parquet", timestamp_field="event_timestamp"))
pair = FeatureView(name="pair", entities=[driver, customer], schema=[Field(name="rating", dtype=Float64)],
    source=FileSource(name="pairs", path="data/pairs.parquet", timestamp_field="event_timestamp"))
request = RequestSource(name="now", schema=[Field(name="extra", dtype=Float64)])

@on_demand_feature_view(sources=[stats, balance, pair, request], schema=[Field(name="total", dtype=Float64)])
def total(inputs: pd.DataFrame) -> pd.DataFrame:
    df = pd.DataFrame()
    df["total"] = inputs["trips"] * 100 + inputs["amount"] * 10 + inputs["rating"] + inputs["extra"]
    return df
"""
    )
    both = rows(rating=[0.1, 0.2, 0.3]).with_columns(customer_id=pl.Series([7, 8, 9]))
    files = {
        "data/rides.parquet": rows(trips=[1, 2, 3]),
        "data/balances.parquet": rows("customer_id", (7, 8, 9), amount=[1.0, 2.0, 3.0]),
        "data/pairs.parquet": both,
    }
    return write(folder, {"repo.py": module}, files)


def test_an_on_demand_view_of_several_entities_is_proven(tmp_path):
    """Each question of one view has keys of the others; a translation that computes something else is found."""
    repo = several_entities(tmp_path / "repo")
    result = adopt(repo, write=True, version_data=False)
    assert result.unexplained == 0
    [proof] = [comparison for comparison in result.comparisons if comparison.side == "on demand"]
    assert (proof.view, proof.failure, proof.same) == ("total", "", proof.cells)
    assert proof.rows > 20
    path = Path(result.target) / "feature_repo/on_demand.py"
    assert 'pl.col("rating")' in path.read_text()
    path.write_text(path.read_text().replace('pl.col("rating")', 'pl.col("trips")'))
    repository = FeastRepository(repo)
    plan = plan_adopt(repository.inventory(), backfills={})
    with FeastOriginal(repository) as original:
        wrong = compare_on_demand(
            featurestore.open(result.target)._workspace, original, plan.on_demand["total"]
        )
    assert wrong.unexplained > 0
    assert wrong.differences[0].key.startswith("driver_id=")
    assert "customer_id=" in wrong.differences[0].key
