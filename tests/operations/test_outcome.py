"""The files of a dataset are replaced together: a late failure leaves data, verdict, profile and history as they were."""

import os

import pytest

import featurestore
from featurestore.errors import ContractError, StoreError
from featurestore.storage.files import write_record, write_text
from featurestore.storage.together import Journal, Replaced

HEADER = "order,customer,ordered_at,loaded_at,amount,coupon"


def files(project):
    """The content of each file that the gate writes."""
    data = project.settings.root / "data"
    folders = ("datasets", "quarantine", "verdicts", "contracts", "profiles", "records", "refused")
    paths = (path for folder in folders for path in (data / folder).rglob("*") if path.is_file())
    return {path.relative_to(data): path.read_bytes() for path in paths}


def rewrite(project, *rows):
    path = project.settings.root / "data/raw/orders.csv"
    path.unlink()
    path.write_text("\n".join((HEADER, *rows)) + "\n")


TARGETS = ["dataset", "quarantine", "verdict", "contract", "profile", "profile_before", "history"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_step_that_fails_leaves_all_files_as_they_were(shop, target):
    """A folder in the place of any one of the files makes its step fail."""
    path = getattr(shop.layout, target)("orders")
    if target == "history":  # the history is read first: here its replacement fails, the last of all
        path = path.with_name(f".{path.name}.before")
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)
    before = files(shop)
    rewrite(shop, "1,1,2024-01-01T00:00:00Z,,10.5,", "2,1,2024-01-02T00:00:00Z,,3,")
    with pytest.raises(StoreError):
        shop.validate("orders")
    assert files(shop) == before
    path.rmdir()
    shop.validate("orders")
    after = files(shop)
    changed = {"dataset", "verdict", "profile", "history", target}
    assert all(
        after[p] != before.get(p)
        for p in (getattr(shop.layout, t)("orders").relative_to(shop.layout.data) for t in changed)
    )
    assert not [path for path in after if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["rows.parquet", "verdict.json"])
def test_a_refusal_that_fails_leaves_all_files_as_they_were(shop, name):
    """The refused rows, their verdict and the history belong together too."""
    path = shop.layout.refused("orders") / name
    path.mkdir(parents=True)
    before = files(shop)
    rewrite(shop, "one,1,2024-01-01T00:00:00Z,,10.5,")
    with pytest.raises(StoreError):
        shop.validate("orders")
    assert files(shop) == before
    path.rmdir()
    with pytest.raises(ContractError):
        shop.validate("orders")
    assert len(shop.quality.history("orders")) == 2


@pytest.mark.parametrize("timestamp", ["infinity", "+20000-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"])
def test_a_timestamp_at_the_end_of_the_calendar_is_a_bad_row(shop, timestamp):
    """It is found before anything is written."""
    rewrite(shop, "1,1,2024-01-01T00:00:00Z,,10.5,", f"2,1,{timestamp},,3,")
    verdict = shop.validate("orders")
    assert (verdict.rows_passed, [count.rule.kind for count in verdict.rules]) == (1, ["dtype"])


def test_the_summary_shows_the_last_run_of_each_dataset(shop):
    """Also a run that refused its rows, and one that could not read them; not only the rows in place."""
    shop.apply()
    shop.training_set("visits")
    shop.materialize()
    shop.audit()
    assert [verdict.decision for verdict in shop.summary().sources] == ["quarantined"]
    rewrite(shop, "1,0,2024-01-01T00:00:00Z,,10.5,")
    with pytest.raises(ContractError):
        shop.validate("orders")
    assert [(v.decision, v.rows_in) for v in shop.summary().sources] == [("refused", 1)]
    (shop.settings.root / "data/raw/orders.csv").write_text("order\n1\n")
    with pytest.raises(ContractError):
        shop.validate("orders")
    [(name, reason)] = shop.summary().unread.items()
    assert (name, "lacks" in reason) == ("orders", True), reason
    page = shop.report(["orders"]).parent / "reports/orders.html"
    assert "The last run could not read its rows (orders: " in page.read_text()


def test_a_training_set_that_fails_late_stays_as_it_was(shop):
    """Rows, manifest and profile belong together."""
    shop.training_set("visits")
    folder = shop.layout.training("visits").parent
    before = {path: path.read_bytes() for path in folder.iterdir()}
    rewrite(shop, "1,1,2024-01-01T00:00:00Z,,10.5,")
    shop.validate("orders")
    shop.build("last_order")
    obstacle = folder / ".visits.profile.json.new"
    obstacle.mkdir()
    with pytest.raises(StoreError):
        shop.training_set("visits")
    obstacle.rmdir()
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert shop.training_set("visits").rows == 1


def test_opening_a_project_brings_the_old_files_back_after_a_kill(shop):
    """A run was killed when its rows were new and its verdict was old: nobody reads the mix."""
    before = files(shop)
    rows = shop.layout.dataset("orders")
    os.link(rows, rows.with_name(".orders.parquet.before"))
    write_text("new", rows.with_name("new"))
    rows.with_name("new").replace(rows)
    entry = Replaced("datasets/orders.parquet", "datasets/.orders.parquet.before")
    write_record(Journal((entry,)), shop.layout.replacing / "orders.journal")
    featurestore.open(shop.settings.root)
    assert files(shop) == before
