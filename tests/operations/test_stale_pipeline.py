"""A dvc.yaml that does not follow the definitions, and changes that `apply` would refuse, are found before the run."""

import json

import pytest
import yaml
from runner import run

import featurestore

VIEW = '''

class FirstOrder(LastOrder):
    """The same columns."""


@feature_view(entity=customer, owner="shop")
def first_order(orders: Frame[RawOrders]) -> Frame[FirstOrder]:
    """The same rows, without a time to live."""
    return orders.select(
        "customer", "amount", "coupon", "ordered_at",
        event_timestamp="ordered_at", created_timestamp="loaded_at",
    )
'''
STAGES = ("validate", "build", "apply", "training-set", "materialize", "check-leaks", "audit", "report")


@pytest.fixture
def written(shop):
    """The shop, with its pipeline written."""
    shop.pipeline(write=True)
    return shop.settings.root


def edit(root, before, after, name="feature_repo/shop.py"):
    path = root / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    return featurestore.open(root)


def remove_stage(root, name):
    path = root / "dvc.yaml"
    content = yaml.safe_load(path.read_text())
    del content["stages"][name]
    path.write_text(yaml.safe_dump(content))


def test_a_pipeline_that_follows_its_definitions_is_not_stale(written):
    """Neither is one whose stages people reordered, froze or completed by their own."""
    path = written / "dvc.yaml"
    content = yaml.safe_load(path.read_text())
    for stage in content["stages"].values():
        stage.get("deps", []).reverse()
        stage["frozen"] = False
    path.write_text(yaml.safe_dump({"stages": {"notebook": {"cmd": "true"}, **content["stages"]}}))
    assert featurestore.open(written).stale_pipeline() is None
    assert run("check", cwd=written).returncode == 0


def test_a_project_without_stages_of_ours_has_no_stale_pipeline(shop):
    """Nobody has to use DVC; a dvc.yaml of other people is theirs."""
    assert shop.stale_pipeline() is None
    (shop.settings.root / "dvc.yaml").write_text("stages:\n  notebook:\n    cmd: jupyter\n")
    assert shop.stale_pipeline() is None


def test_a_view_without_a_stage_is_named_by_check(written):
    """Its stage would be missing, and `materialize` would fail."""
    path = written / "feature_repo/shop.py"
    path.write_text(path.read_text() + VIEW)
    stale = featurestore.open(written).stale_pipeline()
    assert stale.missing == ("build-first_order",)
    assert {"apply", "materialize"} <= {*stale.changed}
    done = run("check", cwd=written)
    assert done.returncode == 7
    assert "it lacks build-first_order" in done.stderr
    assert "run: featurestore pipeline --write" in done.stderr
    assert json.loads(run("check", "--json", cwd=written).stdout)["stale_pipeline"]["missing"] == [
        "build-first_order"
    ]


@pytest.mark.parametrize(
    ("change", "field", "name"),
    [
        (lambda root: edit(root, "last_order", "newest_order"), "missing", "build-newest_order"),
        (lambda root: edit(root, "last_order", "newest_order"), "removed", "build-last_order"),
        (lambda root: edit(root, "data/raw/orders.csv", "data/raw/all.csv"), "changed", "validate-orders"),
        (lambda root: edit(root, "import polars as pl", "import polars as pl\nfrom feature_repo.more import FACTOR"), "changed", "build-last_order"),
        (lambda root: remove_stage(root, "training-set-visits"), "missing", "training-set-visits"),
        (lambda root: edit(root, '"polars": "', '"polars": "0.', "packages.json"), "packages", "polars"),
        (lambda root: (root / "packages.json").unlink(), "packages", "polars"),
    ],
)  # fmt: skip
def test_each_difference_is_named(written, change, field, name):
    """A renamed view, another path, another module, a lost stage, another version of a package."""
    (written / "feature_repo/more.py").write_text("FACTOR = 2\n")
    change(written)
    text = (written / "feature_repo/shop.py").read_text()
    if "newest_order" in text:
        text = text.replace("last_order", "newest_order")
    if "FACTOR" in text:
        text = text.replace('"customer", "amount"', '"customer", FACTOR * pl.col("amount")')
    (written / "feature_repo/shop.py").write_text(text)
    assert name in getattr(featurestore.open(written).stale_pipeline(), field)
    featurestore.open(written).pipeline(write=True)
    assert featurestore.open(written).stale_pipeline() is None


def test_corrected_rows_need_a_dependency(written):
    """Without it, DVC would not see a later correction."""
    corrections = written / "feature_repo/corrections/orders.csv"
    corrections.parent.mkdir()
    corrections.write_text("order,customer,ordered_at,loaded_at,amount,coupon\n")
    assert featurestore.open(written).stale_pipeline().changed == ("validate-orders",)


def test_every_stage_warns_of_a_stale_pipeline(written):
    """The stage that fails for want of another one says why; a stage that can do its work does it."""
    remove_stage(written, "training-set-visits")
    for stage in STAGES:
        done = run(stage, cwd=written)
        assert done.returncode == 0, done.stderr
        assert (
            "warning: dvc.yaml does not follow the definitions: it lacks training-set-visits" in done.stderr
        )
        assert "featurestore pipeline --write" in done.stderr


@pytest.mark.parametrize(
    ("before", "after", "code", "message"),
    [
        ('worth", metadata={"unit": "EUR"})\n    coupon: pl.String = pa.Field(nullable=True, description="coupon")\n    ordered_at',
         'worth", metadata={"unit": "USD"})\n    coupon: pl.String = pa.Field(nullable=True, description="coupon")\n    ordered_at',
         3, "last_order.amount: unit EUR becomes USD (read by buying)"),
        ("amount: pl.Float32 = pa.Field(nullable=True", "amount: pl.Float64 = pa.Field(nullable=True", 3, "last_order.amount: Float32 becomes Float64"),
        ("amount: pl.Float32 = pa.Field(nullable=True", "amount: pl.Float32 = pa.Field(nullable=True, ge=0", 0, ""),
    ],
)  # fmt: skip
def test_check_names_breaking_changes_before_the_run(shop, before, after, code, message):
    """What `apply` would refuse a minute into the run; a stricter rule breaks no reader."""
    shop.apply()
    edit(shop.settings.root, before, after, "schemas/shop.py")
    done = run("check", cwd=shop.settings.root)
    assert done.returncode == code
    assert message in done.stderr
    assert ("--allow-breaking" in done.stderr) == (code == 3)


def test_a_time_that_a_view_no_longer_has_breaks_no_reader(shop):
    """No service reads it: the rows of the view become events of windows, or need no load time any more."""
    shop.apply()
    root = shop.settings.root
    created = '    created_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when known")\n'
    edit(root, created, "", "schemas/shop.py")
    edit(root, ', created_timestamp="loaded_at"', "", "feature_repo/shop.py")
    assert featurestore.open(root).registry_changes().breaking == ()


def test_check_names_what_apply_would_not_remove(written):
    """And the stale pipeline too: one run of `check` says all."""
    featurestore.open(written).apply()
    path = written / "feature_repo/shop.py"
    path.write_text(path.read_text().partition("buying = ")[0])
    done = run("check", cwd=written)
    assert done.returncode == 3
    assert "service buying" in done.stderr
    assert "it still has training-set-visits" in done.stderr


def test_a_training_set_is_read_from_the_project(shop):
    """By its name, as every other dataset; an unknown name gets the nearest."""
    shop.training_set("visits")
    assert shop.read("visits").columns[:3] == ["basket", "customer", "event_timestamp"]
    assert shop.read("last_order").height == shop.dataset("last_order").collect().height
    with pytest.raises(featurestore.UnknownNameError, match="visit"):
        shop.read("visit")


def test_a_training_set_of_another_definition_is_not_read(shop):
    """Its rows are not what the definition says."""
    with pytest.raises(featurestore.MissingDataError, match="training-set visits"):
        shop.read("visits")
    shop.training_set("visits")
    later = edit(shop.settings.root, "hours=1", "hours=2")
    with pytest.raises(featurestore.SkewError, match="visits"):
        later.read("visits")
