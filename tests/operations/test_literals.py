"""`check` finds literals of a wrong dtype without data: the gate would refuse every row of the build."""

import pytest
from runner import run

import featurestore
from featurestore.errors import DefinitionError

BODY = """return orders.select(
        "customer", "amount", "coupon", "ordered_at",
        event_timestamp="ordered_at", created_timestamp="loaded_at",
    )
"""
REST = '"coupon", "ordered_at", event_timestamp="ordered_at", created_timestamp="loaded_at"'
REFUSED = {
    "text for a float": ('"customer", amount=pl.lit("a")', "'amount' is always 'a', of dtype String"),
    "in every branch": ('"customer", amount=pl.when(pl.col("amount") > 0).then(pl.lit("a")).otherwise(pl.lit("a"))', "'a'"),
    "text for an integer": ('"amount", customer=pl.lit("x")', "schema LastOrder declares Int64"),
    "too large a number": ('"amount", customer=pl.lit(2**63, dtype=pl.UInt64)', "'customer' is always 9223372036854775808"),
}  # fmt: skip
ACCEPTED = {
    "a number as text": '"amount", customer=pl.lit("5")',
    "a null": '"customer", amount=pl.lit(None)',
    "text of the data": '"amount", customer=pl.col("coupon")',
    "a small integer": '"amount", customer=pl.lit(5, dtype=pl.Int8)',
}


def rewritten(root, body):
    path = root / "feature_repo/shop.py"
    text = path.read_text()
    assert BODY in text
    path.write_text(text.replace(BODY, f"{body}\n", 1))
    return featurestore.open(root)


def selected(columns):
    """Write a select: names first, then the columns with keywords."""
    names, _, keyword = columns.partition(", ")
    return f"select({names}, {REST}, {keyword})"


@pytest.mark.parametrize(("columns", "message"), REFUSED.values(), ids=REFUSED)
def test_a_literal_of_a_wrong_dtype_is_refused(shop_files, columns, message):
    """The error names the view, the column, the value and the declared dtype."""
    with pytest.raises(DefinitionError) as refused:
        rewritten(shop_files, f"return orders.{selected(columns)}").check()
    assert "feature view 'last_order'" in refused.value.message
    assert message in refused.value.message


@pytest.mark.parametrize("columns", ACCEPTED.values(), ids=ACCEPTED)
def test_other_values_are_left_to_the_gate(shop_files, columns):
    """A value that can be cast, and text that depends on the data."""
    assert rewritten(shop_files, f"return orders.{selected(columns)}").check() == 5


def test_a_literal_behind_a_filter_is_found(shop_files):
    """The function drops the row without values."""
    body = f"return orders.drop_nulls('amount').{selected(REFUSED['text for a float'][0])}"
    with pytest.raises(DefinitionError, match="'amount' is always 'a'"):
        rewritten(shop_files, body).check()


def test_a_literal_of_a_training_set_is_found(shop_files):
    """Every definition with a function is checked, and the command exits with 3."""
    path = shop_files / "feature_repo/shop.py"
    path.write_text(path.read_text().replace("bought=pl.lit(True)", 'bought=pl.lit("maybe")'))
    done = run("check", cwd=shop_files)
    assert done.returncode == 3
    assert "training set 'visits': column 'bought' is always 'maybe'" in done.stderr


def test_a_function_that_refuses_rows_without_meaning_is_left_to_the_gate(shop_files):
    """What it does with real rows is not known."""
    body = (
        f"return orders.filter(pl.col('coupon').str.to_date('%Y').is_not_null())"
        f".{selected(REFUSED['text for a float'][0])}"
    )
    assert rewritten(shop_files, body).check() == 5
