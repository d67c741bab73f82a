"""Raw data may be in many files, hive partitions included."""

import pytest

import featurestore
from featurestore.errors import ContractError, MissingDataError

HEADER = "order,customer,ordered_at,loaded_at,amount"


@pytest.fixture
def many(shop_files):
    """The shop's orders, one file for each coupon, named by its folder."""
    definitions = shop_files / "feature_repo/shop.py"
    definitions.write_text(definitions.read_text().replace("raw/orders.csv", "raw/orders/**/*.csv"))
    for coupon, rows in {
        "SPRING": "1,1,2024-01-01T00:00:00Z,,10.5\n2,1,2024-01-02T00:00:00Z,,11",
        "A%2FB": "3,2,2024-01-03T00:00:00Z,,12",
    }.items():
        folder = shop_files / f"data/raw/orders/coupon={coupon}"
        folder.mkdir(parents=True)
        (folder / "part.csv").write_text(f"{HEADER}\n{rows}\n")
    return shop_files


def test_files_are_read_in_the_order_of_their_names(many):
    """Partition values become columns of the declared dtype."""
    project = featurestore.open(many)
    assert project.validate("orders").rows_in == 3
    rows = project.dataset("orders").select("order", "coupon").collect().rows()
    assert rows == [(3, "A/B"), (1, "SPRING"), (2, "SPRING")]
    assert "data/raw/orders\n" in project.pipeline()


def test_a_file_with_other_columns_is_named(many):
    """A wrong value is refused, and not replaced by a guess."""
    (many / "data/raw/orders/coupon=SPRING/part.csv").write_text("order\n1\n")
    with pytest.raises(ContractError, match=r"coupon=SPRING/part.csv has columns \['order', 'coupon'\], but"):
        featurestore.open(many).validate("orders")


def test_no_file_is_missing_data(many):
    """A pattern that names nothing is not an empty dataset."""
    for file in (many / "data/raw/orders").glob("**/*.csv"):
        file.unlink()
    with pytest.raises(MissingDataError, match="does not exist"):
        featurestore.open(many).validate("orders")
