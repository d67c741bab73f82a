"""A training set without a key has its rows in the order of their content: equal rows, equal digest."""

import pandera.polars as pa
import polars as pl
import pytest

import featurestore
from featurestore.definitions.contract import contract_of
from featurestore.operations.build.inputs import in_total_order
from featurestore.storage.fingerprint import fingerprint

ORDERS = {
    "as they come": "",
    "reversed": ".reverse()",
    "by another column": '.sort("basket", descending=True)',
}
FRAMES = {
    "zeros": pl.DataFrame({"x": [0.0, -0.0, None, 1.0, -0.0]}),
    "lists": pl.DataFrame({"x": [[0.0], [-0.0], [], None, [0.0, 1.0]]}),
    "arrays": pl.DataFrame({"x": pl.Series([[0.0], [-0.0], None], dtype=pl.Array(pl.Float32, 1))}),
    "ties": pl.DataFrame({"x": [1, 1, 1], "y": ["b", None, "a"]}),
}


class WithoutKey(pa.DataFrameModel):
    """A schema without a unique column."""


def digest(root, order):
    path = root / "feature_repo/shop.py"
    original = path.read_text()
    path.write_text(original.replace('.drop_nulls("basket")', f'.drop_nulls("basket"){order}'))
    try:
        project = featurestore.open(root)
        manifest = project.training_set("visits")
        return manifest.digest, project.read("visits")
    finally:
        path.write_text(original)


def test_the_digest_does_not_depend_on_the_order_of_the_function(shop):
    """Two builds whose functions return the same rows in another order are the same training set."""
    built = {name: digest(shop.settings.root, order) for name, order in ORDERS.items()}
    assert len({digest for digest, _ in built.values()}) == 1
    assert built["reversed"][1]["event_timestamp"].is_sorted()


@pytest.mark.parametrize("rows", FRAMES.values(), ids=FRAMES)
def test_rows_of_equal_content_have_one_order(rows):
    """Also values that compare as equal and have other bits."""
    orders = [rows, rows.reverse(), rows.sample(fraction=1, shuffle=True, seed=3)]
    sorted_ = [in_total_order(each.lazy(), contract_of(WithoutKey)).collect() for each in orders]
    assert len({fingerprint(each) for each in sorted_}) == 1
