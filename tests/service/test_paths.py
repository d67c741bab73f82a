"""The serving paths that the proofs read through: each is the way of an application, and returns what it was given."""

import asyncio
from datetime import UTC, datetime, timedelta
from math import copysign

import polars as pl
import pytest
from shop import build_shop

from featurestore.errors import SkewError
from featurestore.project.composition import _workspace
from featurestore.service.paths import FeastWirePath, VectorsPath
from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.keys import add_key
from featurestore.timing.join import Status

NOW = datetime(2024, 1, 10, tzinfo=UTC)
ROWS = pl.DataFrame({"customer": [3, 1, 2, 9, None], "basket": [16.0, 1.0, 2.0, 3.0, 4.0]})
NAMES = ("get_online", "reader", "HTTP /v1/vectors", "HTTP /get-online-features")


@pytest.fixture(scope="module")
def workspace(shared_shop):
    shared_shop.materialize()
    return _workspace(shared_shop.settings.root)


def paths(workspace):
    return {path.name: path for path in workspace.serving_paths()}


@pytest.mark.parametrize("name", NAMES)
def test_a_path_returns_values_and_statuses(workspace, name):
    """Present, null and unknown cells, with an on-demand feature, in the declared dtypes."""
    service = workspace.catalog.service("buying")
    read = paths(workspace)[name].read(ROWS, service, NOW)
    assert read.select(service.feature_names).schema == service.feature_schema
    assert read["amount"].to_list() == [8.0, None, 0.0, None, None]
    assert copysign(1, read["amount"][2]) == -1
    assert read["ratio"].to_list() == [2.0, None, None, None, None]
    assert [Status(status).name for status in read["amount__status"]] == [
        "PRESENT", "NULL_VALUE", "PRESENT", "NOT_FOUND", "NOT_FOUND",
    ]  # fmt: skip
    assert read["coupon__status"].to_list() == [2, 2, 2, 3, 3]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_reads_as_of_the_timestamp_that_it_is_given(workspace, name):
    """The server's clock is that timestamp, also where the request has none."""
    service = workspace.catalog.service("buying")
    late = NOW + timedelta(days=3, hours=12)
    read = paths(workspace)[name].read(ROWS, service, late + timedelta(microseconds=1))
    assert read["amount__status"].to_list()[:2] == [4, 4]
    assert paths(workspace)[name].read(ROWS, service, late - timedelta(hours=12))["amount__status"][0] == 1


def test_all_paths_are_read(workspace):
    """A project has these paths, each under its name."""
    assert tuple(paths(workspace)) == NAMES


@pytest.mark.parametrize("name", NAMES[2:])
def test_a_project_with_api_keys_is_read_by_a_key_of_the_process(shop, name):
    """The guard asks for a key, and the stored keys stay as they are."""
    shop.materialize()
    add_key(shop.layout.keys, "app", scopes=(KeyScope.WRITE,))
    before = shop.layout.keys.read_bytes()
    workspace = _workspace(shop.settings.root)
    read = paths(workspace)[name].read(ROWS, workspace.catalog.service("buying"), NOW)
    assert read["amount"][0] == 8.0
    assert shop.layout.keys.read_bytes() == before


def test_a_path_can_be_read_where_an_event_loop_runs(workspace):
    """As in a notebook."""

    async def read():
        return paths(workspace)["HTTP /v1/vectors"].read(ROWS, workspace.catalog.service("buying"), NOW)

    assert asyncio.run(read())["amount"][0] == 8.0


@pytest.mark.parametrize("path", [VectorsPath, FeastWirePath])
def test_a_refusal_is_an_error_that_names_the_path(shared_shop, workspace, path):
    """What training has and serving refuses is skew: here a request value outside its contract."""
    rows = ROWS.with_columns(basket=pl.lit(-1.0))
    with pytest.raises(SkewError, match=r"HTTP /\S+ refuses the rows with status 422: .*basket"):
        path(shared_shop).read(rows, workspace.catalog.service("buying"), NOW)


def test_feasts_wire_leaves_out_timestamps_that_it_cannot_carry(shop_files):
    """Fractions of a second are refused on Feast's wire; all other features are read."""
    orders = shop_files / "data/raw/orders.csv"
    orders.write_text(orders.read_text().replace("08T00:00:00Z,2024", "08T00:00:00.5Z,2024"))
    shop = build_shop(shop_files)
    shop.materialize()
    workspace = _workspace(shop.settings.root)
    service = workspace.catalog.service("buying")
    read = paths(workspace)["HTTP /get-online-features"].read(ROWS, service, NOW)
    assert "ordered_at" not in read.columns
    assert read["amount"][0] == 8.0
    assert read["ratio"][0] == 2.0
