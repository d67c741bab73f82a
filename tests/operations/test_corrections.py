"""Rows in quarantine are listed, corrected by hand and resubmitted; a correction that is refused changes nothing."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from featurestore.errors import ContractError, DefinitionError, MissingDataError, StoreError


@pytest.fixture
def rows_to_correct(shop, tmp_path):
    """The one bad row of the shop's orders (a customer numbered 0), written to be corrected."""
    path = tmp_path / "corrected.csv"
    shop.quality.quarantine("orders", out=path)
    return path


def correct(path, **values):
    rows = pl.read_csv(path, infer_schema=False)
    rows.with_columns(pl.lit(value).alias(name) for name, value in values.items()).write_csv(path)


def test_quarantine_says_where_a_row_comes_from_and_all_that_it_broke(shop):
    """A row in quarantine is kept as it arrived, with its file, its number and every rule that it breaks."""
    [row] = shop.quality.quarantine("orders").to_dicts()
    assert (row["source_file"], row["source_row"], row["customer"]) == ("orders.csv", 7, "0")
    assert row["broken_rules"] == ["customer.greater_than_or_equal_to(1)"]


def test_a_corrected_row_replaces_the_raw_row(shop, rows_to_correct):
    """Counts add up, the correction is kept beside the definitions, and the next run applies it."""
    correct(rows_to_correct, customer="4")
    verdict = shop.quality.resubmit("orders", rows_to_correct)
    assert (verdict.rows_in, verdict.rows_passed, verdict.rows_quarantined) == (7, 7, 0)
    assert shop.dataset("orders").select("customer").collect().to_series().to_list() == [1, 1, 1, 2, 3, 3, 4]
    kept = shop.settings.feast_repo / "corrections/orders.csv"
    assert kept.exists()
    assert "feature_repo/corrections/orders.csv" in shop.pipeline()
    assert shop.validate("orders") == verdict
    assert shop.quality.quarantine("orders").is_empty()


def test_a_row_still_bad_is_sent_back(shop, rows_to_correct):
    """A corrected row that still breaks a rule is refused with its number and rule; the rows in place do not change."""
    before = shop.dataset("orders").collect()
    correct(rows_to_correct, customer="-1", amount="-5")
    with pytest.raises(
        ContractError, match=r"schema RawOrders still refuses 1 corrected row:\n  row 7 of orders.csv: cust"
    ):
        shop.quality.resubmit("orders", rows_to_correct)
    assert_frame_equal(shop.dataset("orders").collect(), before)
    assert not (shop.settings.feast_repo / "corrections/orders.csv").exists()


def test_a_correction_of_other_raw_data_is_refused(shop, rows_to_correct):
    """Corrections of other raw data are refused: row numbers move when a file is delivered again."""
    correct(rows_to_correct, customer="4")
    raw = shop.settings.root / "data/raw/orders.csv"
    head, *rows = raw.read_text().splitlines()
    raw.write_text("\n".join([head, *reversed(rows)]) + "\n")
    with pytest.raises(
        ContractError, match=r"corrected.csv: its rows are not those of .* \(1 row, .* row 7 of"
    ) as caught:
        shop.quality.resubmit("orders", rows_to_correct)
    assert f"featurestore quarantine orders --out {rows_to_correct}" in caught.value.hint


def test_kept_corrections_of_raw_data_that_changed_are_named_with_the_way_out(shop, rows_to_correct):
    """The hint names the file to change, and the pipeline that depends on it; another file to resubmit is not meant."""
    correct(rows_to_correct, customer="4")
    shop.quality.resubmit("orders", rows_to_correct)
    raw = shop.settings.root / "data/raw/orders.csv"
    raw.write_text(raw.read_text().replace("7,0,", "7,5,"))
    with pytest.raises(
        ContractError, match=r"orders: the raw rows of corrections in .*corrections/orders.csv have"
    ) as caught:
        shop.validate("orders")
    assert "featurestore pipeline --write" in caught.value.hint
    assert "feature_repo/corrections/orders.csv" in caught.value.hint
    (shop.settings.feast_repo / "corrections/orders.csv").unlink()
    assert shop.validate("orders").rows_passed == 7


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "does not exist"),
        ("", "is empty"),
        ("order,customer\n1,2\n", "lacks"),
        ("order,customer,ordered_at,loaded_at,amount,coupon\n1,2,20", "truncated"),
    ],
)
def test_rows_of_an_earlier_run_are_not_shown_as_those_of_a_run_that_read_none(shop, text, reason):
    """The last run could not read the file: quarantine says so, until a run reads it again."""
    raw = shop.settings.root / "data/raw/orders.csv"
    before = raw.read_text()
    raw.unlink() if text is None else raw.write_text(text)
    with pytest.raises((ContractError, MissingDataError), match=reason):
        shop.validate("orders")
    with pytest.raises(ContractError, match=rf"the last run could not read its rows.*{reason}") as caught:
        shop.quality.quarantine("orders")
    assert "featurestore validate orders" in caught.value.hint
    raw.write_text(before)
    shop.validate("orders")
    assert shop.quality.quarantine("orders").height == 1


def everything(project):
    """Each file of the project, but the journals' locks, and the Python's caches."""
    paths = (p for p in project.settings.root.rglob("*") if p.is_file() and p.suffix not in (".lock", ".pyc"))
    return {path: path.read_bytes() for path in paths}


def test_a_dataset_that_is_refused_for_other_rows_changes_nothing(shop, tmp_path):
    """Corrections that are right, of too few rows: the corrections are not kept, and no refusal is recorded."""
    raw = shop.settings.root / "data/raw/orders.csv"
    raw.write_text(raw.read_text().replace(",1,2024", ",0,2024").replace(",2,2024", ",0,2024"))
    with pytest.raises(ContractError, match="refused"):
        shop.validate("orders")
    path = tmp_path / "corrected.csv"
    shop.quality.quarantine("orders", out=path)
    pl.read_csv(path, infer_schema=False).head(1).with_columns(customer=pl.lit("1")).write_csv(path)
    before = everything(shop)
    with pytest.raises(ContractError, match=r"(?s)refused: 4 of 7.*nothing was changed") as caught:
        shop.quality.resubmit("orders", path)
    assert caught.value.verdict.decision == "refused"
    assert everything(shop) == before


@pytest.mark.parametrize("target", ["dataset", "history", "corrections"])
def test_a_resubmit_that_fails_late_changes_nothing(shop, rows_to_correct, target):
    """Corrections, rows, verdict, profile and history are all old; without the obstacle they are all new."""
    kept = shop.settings.feast_repo / "corrections/orders.csv"
    correct(rows_to_correct, customer="4")
    path = kept if target == "corrections" else getattr(shop.layout, target)("orders")
    obstacle = path.with_name(f".{path.name}.new")
    obstacle.mkdir(parents=True)
    before = everything(shop)
    with pytest.raises(StoreError):
        shop.quality.resubmit("orders", rows_to_correct)
    assert everything(shop) == before
    obstacle.rmdir()
    assert shop.quality.resubmit("orders", rows_to_correct).rows_passed == 7
    assert kept.exists()


def test_missing_values_of_a_corrected_row_are_missing(shop, rows_to_correct):
    """An empty cell of the CSV file is a missing value, not an empty text."""
    correct(rows_to_correct, customer="4", amount=None)
    shop.quality.resubmit("orders", rows_to_correct)
    assert shop.dataset("orders").filter(pl.col("customer") == 4).collect()["amount"].to_list() == [None]


def test_what_cannot_be_corrected(shop, tmp_path):
    """Rows that are computed, a missing file, and a file of other columns are errors."""
    with pytest.raises(DefinitionError, match="is computed"):
        shop.quality.resubmit("last_order", tmp_path / "x.csv")
    with pytest.raises(MissingDataError, match="not found"):
        shop.quality.resubmit("orders", tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises(ContractError, match="lacks source_file, source_row, row_digest"):
        shop.quality.resubmit("orders", tmp_path / "x.csv")


def test_rows_of_a_refused_dataset_can_be_corrected_too(shop, tmp_path):
    """The rows of a refused dataset are listed and corrected like rows in quarantine."""
    raw = shop.settings.root / "data/raw/orders.csv"
    raw.write_text(raw.read_text().replace(",1,2024", ",0,2024"))
    with pytest.raises(ContractError, match="refused"):
        shop.validate("orders")
    assert shop.quality.quarantine("orders", out=tmp_path / "corrected.csv").height == 4
    correct(tmp_path / "corrected.csv", customer="1")
    assert shop.quality.resubmit("orders", tmp_path / "corrected.csv").rows_passed == 7
