"""Differences are facts; their text is derived."""

import msgspec
import pytest
from grown_shop import FILES, changed, replaced

from featurestore.definitions.fingerprint import Difference, Fingerprint, Part, differences

ORDERS = "feature_repo/orders.py"


def test_equal_fingerprints_have_no_difference(state):
    """Two states of equal meaning have nothing to name."""
    assert changed(state(), state(), "visits") == ()


def test_a_difference_holds_its_facts(state):
    """Kind, name, file and values are fields: nobody reads the text back."""
    (difference,) = changed(state(), state(replaced(ORDERS, '"30d"', '"7d"')), "customer_spending")
    assert difference == Difference(
        kind="constant",
        name="PERIOD",
        change="changed",
        where="feature_repo/orders.py",
        before="'30d'",
        after="'7d'",
    )


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        (
            replaced("lib/rates.py", 'value * RATES["EUR"]', "value"),
            [
                "body of converted changed (lib/rates.py)",
                "constant RATES {'EUR': 1.0, 'USD': 0.9} removed in lib/rates.py",
            ],
        ),
        (
            replaced(ORDERS, "worth = scaled(", "worth = helper.unused("),
            [
                "body of orders changed (feature_repo/orders.py)",
                "no longer uses scaled (feature_repo/helper.py)",
                "no longer uses converted (lib/rates.py)",
                "constant FACTOR 2 removed in feature_repo/helper.py",
                "constant RATES {'EUR': 1.0, 'USD': 0.9} removed in lib/rates.py",
                "now uses unused (feature_repo/helper.py)",
            ],
        ),
    ],
)
def test_what_is_used_newly_and_no_longer_is_named(state, change, texts):
    """Parts that come and go are named beside the body that caused it."""
    before, after = state(), state(change)
    assert [difference.text for difference in changed(before, after, "orders")] == texts


def test_a_new_column_and_a_new_check_are_named(state):
    """The order of columns is not named where a column more already tells it."""
    schemas = FILES["schemas/orders.py"].replace(
        '    euros: pl.Float64 = pa.Field(ge=0, description="worth")',
        '    euros: pl.Float64 = pa.Field(ge=0, lt=9, description="worth")\n    more: pl.Int8 = pa.Field(description="x")',
    )
    texts = [d.text for d in changed(state(), state({"schemas/orders.py": schemas}), "orders")]
    assert texts == [
        "check euros.lt(9) added of schema Orders",
        "column more Int8 added of schema Orders",
    ]


def test_columns_that_change_places_are_named(state):
    """The order of columns is what their values are written in."""
    lines = [
        '    order: pl.Int64 = pa.Field(unique=True, description="order number")\n',
        '    customer: pl.String = pa.Field(description="who ordered")\n',
    ]
    schemas = FILES["schemas/orders.py"].replace("".join(lines), "".join(reversed(lines)))
    (difference,) = changed(state(), state({"schemas/orders.py": schemas}), "raw_orders")
    assert difference.text.startswith("order of columns order, customer,")


def test_a_difference_that_several_definitions_share_is_named_once(state):
    """One helper that four definitions use is one difference."""
    before, after = state(), state(replaced("feature_repo/helper.py", "FACTOR = 2", "FACTOR = 3"))
    assert len(changed(before, after, "visits")) == 1


def test_digests_that_differ_are_never_without_a_difference():
    """If all parts are equal but names lead to different parts, the difference says so."""
    part = Part(kind="function", name="f", digest="0" * 16)
    before = Fingerprint(digest="sha256:a", kind="dataset", name="orders", parts=(part,))
    (difference,) = differences(before, msgspec.structs.replace(before, digest="sha256:b"))
    assert difference.text == "names lead to other code than before"
