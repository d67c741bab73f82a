"""A release needs a record that each of its views was checked for leaks as it is now, and that none leaks."""

import pytest
from runner import run, run_steps

import featurestore
from featurestore.errors import DefinitionError, MissingDataError, SkewError

AMOUNT = '"customer", "amount",'
SCHEMA = "schemas/shop.py"
ORDERS = "data/raw/orders.csv"


def edited(shop, name, before, after):
    """Replace a text in a file of the shop, and open it again."""
    path = shop.settings.root / name
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    return featurestore.open(shop.settings.root)


def rebuilt(shop):
    """Build and materialize the shop."""
    shop.validate("orders")
    shop.build("last_order")
    shop.materialize()
    return shop


def test_a_project_that_was_not_checked_is_not_released(shop):
    """The refusal names the command; a dry run refuses too."""
    shop.materialize()
    shop.layout.leaks.unlink()
    for verb in (shop.release, shop.plan_release):
        with pytest.raises(MissingDataError) as caught:
            verb()
        assert caught.value.hint == "run: featurestore check-leaks"
    shop.check_leaks()
    assert shop.release().name == "0001"


@pytest.mark.parametrize(
    ("name", "before", "after", "reason"),
    [
        ("feature_repo/shop.py", AMOUNT, '"customer", pl.col("amount") * 2,', "its definition"),
        (SCHEMA, ', "known": ("loaded_at", "ordered_at")', ', "known": "ordered_at"', "when orders is known"),
        (SCHEMA, 'description="coupon")\n\n    class Config', 'description="coupon", metadata={"known": "loaded_at"})\n\n    class Config', "when orders is known"),
        (ORDERS, ",8,", ",9,", "the rows of orders"),
    ],
)  # fmt: skip
def test_what_changed_since_the_check_is_named(shop, name, before, after, reason):
    """A definition, a declaration or rows that changed: the record says nothing about them."""
    changed = rebuilt(edited(shop, name, before, after))
    with pytest.raises(
        SkewError, match=f"last_order was checked for leaks before {reason} changed"
    ) as caught:
        changed.release()
    assert caught.value.commands == ("featurestore check-leaks",)
    assert changed.releases() == []
    changed.check_leaks()
    assert changed.plan_release().name == "0001"


def test_a_view_that_leaks_is_not_released(shop):
    """The record of a failed check refuses the release, and names the row."""
    sum_over = '"customer", pl.col("amount").sum().over("customer"),'
    leaking = rebuilt(edited(shop, "feature_repo/shop.py", AMOUNT, sum_over))
    leaking.check_leaks()
    with pytest.raises(SkewError, match=r"rows? of last_order depend on what became known later"):
        leaking.release()
    assert run("release", cwd=leaking.settings.root).returncode == 5


def test_a_view_that_cannot_be_proven_is_not_released(shop):
    """It has no stage; the release names the declaration that is missing, whether the view was checked or not."""
    unproven = rebuilt(edited(shop, SCHEMA, ', "known": ("loaded_at", "ordered_at")', ""))
    assert "check-leaks" not in unproven.pipeline()
    shop.layout.leaks.unlink()
    for prepare in (list, unproven.check_leaks):
        prepare()
        with pytest.raises(
            DefinitionError, match=r"last_order: cannot be proven.* of orders become known"
        ) as caught:
            unproven.release()
        assert '"known"' in caught.value.hint


def test_the_stage_depends_on_what_the_check_reads(shop):
    """The definitions with their schemas, and the rows at which views are cut; its record is its output."""
    text = shop.pipeline()
    stage = text[text.index("  check-leaks:") : text.index("  audit:")]
    for line in ("cmd: featurestore check-leaks\n", "- feature_repo/shop.py\n", "- schemas/shop.py\n", "- data/datasets/orders.parquet\n", "- data/records/leaks.json:\n"):  # fmt: skip
        assert line in stage


def test_checking_one_view_keeps_what_was_checked_of_the_others(shop):
    """A record of the former definition of another view is left out."""
    second = (
        '@feature_view(entity=customer, owner="shop")\ndef other(orders: Frame[RawOrders]) -> Frame[Other]:'
    )
    edited(shop, SCHEMA, "class Basket(", "class Other(LastOrder):\n    pass\n\n\nclass Basket(")
    edited(shop, "feature_repo/shop.py", "import Basket,", "import Basket, Other,")
    project = edited(
        shop,
        "feature_repo/shop.py",
        "@on_demand_feature_view(",
        f'{second}\n    """Again."""\n    return last_order.function(orders)\n\n\n@on_demand_feature_view(',
    )
    assert {view.name for view in project.check_leaks().views} == {"last_order", "other"}
    assert [view.name for view in project.check_leaks(["other"]).views] == ["other"]
    run_steps(shop.settings.root, "check-leaks")
    record = shop.layout.leaks.read_text()
    assert project.check_leaks(["last_order"]).leaks == ()
    assert shop.layout.leaks.read_text() == record
    project = edited(shop, "feature_repo/shop.py", AMOUNT, '"customer", pl.col("amount") * 2,')
    project.check_leaks(["last_order"])
    assert '"other"' not in shop.layout.leaks.read_text()
