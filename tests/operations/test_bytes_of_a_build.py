"""A build reads its inputs once and writes its output once; its profile needs no second read."""

from pathlib import Path

import msgspec
import polars as pl
import pytest
from shop import FILES, write_files

import featurestore
from featurestore.quality.profile.profile import Profile, profile_file

ROWS = 200_000
SCHEMAS = f'''{FILES["schemas/shop.py"]}

class Paid(RawOrders):
    """Orders with an amount."""
'''
# Definitions, verdict, profile, history and contract are read and written too: half a megabyte for any number of rows.
MAX_RATIO = 1.5
DEFINITIONS = (
    FILES["feature_repo/shop.py"]
    .replace("data/raw/orders.csv", "data/raw/orders.parquet")
    .replace("Entity, Frame,", "Entity, Frame, dataset,")
    .replace("LastOrder, RawOrders", "LastOrder, Paid, RawOrders")
    .replace(
        "@feature_view",
        '''@dataset(owner="shop")
def paid(orders: Frame[RawOrders]) -> Frame[Paid]:
    """Orders with an amount."""
    return orders.filter(pl.col("amount") > 0)


@feature_view''',
    )
)


@pytest.fixture(scope="module")
def large_shop(tmp_path_factory):
    """A shop with orders that do not compress, each step done once: it has imported what it needs."""
    folder = write_files(tmp_path_factory.mktemp("large") / "shop")
    (folder / "schemas/shop.py").write_text(SCHEMAS)
    (folder / "feature_repo/shop.py").write_text(DEFINITIONS)
    noise = pl.int_range(ROWS, dtype=pl.UInt64).hash(1)
    pl.select(
        order=pl.int_range(ROWS),
        customer=(noise % ROWS + 1).cast(pl.Int64),
        ordered_at=(noise.hash(2) % 10**15).cast(pl.Int64).cast(pl.Datetime("us", "UTC")),
        loaded_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")),
        amount=noise.hash(3).cast(pl.Float64) / 2**64 * 1000 + 1,
        coupon=pl.lit(None, dtype=pl.String),
    ).write_parquet(folder / "data/raw/orders.parquet")
    project = featurestore.open(folder)
    project.validate("orders")
    project.build("paid")
    project.build("last_order")
    return project


def counted(step):
    """Return how many bytes this process reads and writes while a step runs."""

    def counters():
        lines = Path("/proc/self/io").read_text().splitlines()
        return [int(line.split()[1]) for line in lines[:2]]

    before = counters()
    step()
    return [after - was for was, after in zip(before, counters(), strict=True)]


@pytest.mark.parametrize("name", ["orders", "paid", "last_order"])
def test_a_step_reads_its_input_once_and_writes_its_output_once(large_shop, name):
    """A step that also read what it wrote, or its input twice, would read twice as much."""
    layout = large_shop.layout
    raw = layout.data / "raw/orders.parquet"
    source, output, step = {
        "orders": (raw, layout.dataset("orders"), large_shop.validate),
        "paid": (layout.dataset("orders"), layout.dataset("paid"), large_shop.build),
        "last_order": (layout.dataset("orders"), layout.features("last_order"), large_shop.build),
    }[name]
    read, written = counted(lambda: step(name))
    assert 0.5 < read / source.stat().st_size < MAX_RATIO
    assert 1 <= written / output.stat().st_size < MAX_RATIO
    kept = msgspec.json.decode(layout.profile(name).read_bytes(), type=Profile)
    assert kept == profile_file(output, dataset=name)
