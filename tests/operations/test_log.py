"""Pushed and deleted rows are logged once for a project and all its releases; every store replays the log."""

import threading
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import featurestore
from featurestore.errors import ContractError, SkewError, StoreError
from featurestore.project import open_served
from featurestore.storage.lock import locked

NOW = datetime(2024, 1, 10, tzinfo=UTC)  # the shop's clock
KEY = pl.DataFrame({"customer": [3]})


def order(amount, *, customer=7, at=NOW - timedelta(hours=1)):
    return pl.DataFrame(
        {
            "customer": [customer],
            "event_timestamp": [at],
            "amount": [amount],
            "coupon": [None],
            "ordered_at": [at],
        }
    )


def amounts(project, *customers):
    entity_rows = [{"customer": customer} for customer in customers or (7,)]
    return project.get_online(entity_rows, ["last_order:amount"])["amount"].to_list()


def served(shop):
    """Open the release that a server would serve."""
    return open_served(shop.settings.root)[0]


@pytest.fixture
def released(shop):
    shop.materialize()
    shop.release()
    return shop


def test_a_row_pushed_to_the_served_release_is_in_the_next(released):
    """A row pushed to the active release is in the next release, also without a materialization in between."""
    served(released).push("last_order", order(4.5))
    assert amounts(released) == [None]
    release = released.release()
    assert amounts(served(released)) == [4.5]
    assert release.views["last_order"] == served(released).store().state("last_order")
    assert served(released).audit().mismatches == 0


def test_a_row_pushed_to_the_served_release_stays_after_a_rollback(released):
    """A row pushed to the active release is served after a rollback, and after the way forward."""
    released.release()
    served(released).push("last_order", order(4.5))
    released.rollback()
    assert amounts(served(released)) == [4.5]
    served(released).push("last_order", order(5.5, at=NOW - timedelta(minutes=5)))
    released.rollback("0002")
    assert amounts(served(released)) == [5.5]


def test_a_row_logged_behind_the_watermark_is_not_missed(released):
    """A row that a writer with a slow clock logged is applied by the next run."""
    released.materialize(until=NOW - timedelta(minutes=1))
    served(released).push("last_order", order(4.5, at=NOW - timedelta(days=1)))
    released.materialize()
    assert amounts(released) == [4.5]
    object.__setattr__(released.settings, "as_of", NOW + timedelta(days=1))
    released.materialize()
    served(released).push("last_order", order(6.5))
    assert not released.materialize().views[0].full
    assert amounts(released) == [6.5]
    assert released.audit().mismatches == 0


def test_rows_pushed_under_another_schema_are_left_out(released):
    """Rows pushed under another schema are left out, and are served again after a rollback to that schema."""
    released.push("last_order", order(4.5))
    for name, before, after in (
        (
            "schemas/shop.py",
            '    coupon: pl.String = pa.Field(nullable=True, description="coupon")\n    ordered_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")\n\n\nclass Basket',
            '    ordered_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")\n\n\nclass Basket',
        ),
        (
            "feature_repo/shop.py",
            '"customer", "amount", "coupon", "ordered_at"',
            '"customer", "amount", "ordered_at"',
        ),
    ):
        path = released.settings.root / name
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))
    changed = featurestore.open(released.settings.root)
    changed.build("last_order")
    changed.check_leaks()
    changed.materialize()
    assert amounts(changed, 7, 3) == [None, 8.0]
    changed.push("last_order", order(6.5).drop("coupon"))
    changed.release()
    assert amounts(served(changed), 7) == [6.5]
    assert served(changed).audit().mismatches == 0
    changed.rollback("0001")
    assert amounts(served(changed), 7) == [4.5]


def test_a_damaged_file_of_the_log_is_named(released):
    """A damaged file of the log is an error that names the file."""
    path = released.layout.pushed("last_order") / "half.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"half.parquet: cannot be read as Parquet"):
        released.materialize()


def test_a_key_deleted_in_the_project_is_gone_from_what_is_served_at_once(released):
    """A key deleted in the project is not served by the active release, at once."""
    assert amounts(served(released), 3) == [8.0]
    assert released.delete("last_order", KEY) == 1
    assert amounts(released, 3) == amounts(served(released), 3) == [None]


def test_a_key_deleted_in_a_release_does_not_come_back(released):
    """A key deleted in a release stays deleted in the project, in other releases, and in a new store."""
    released.release()
    assert served(released).delete("last_order", KEY) == 1
    released.rollback()
    assert amounts(served(released), 3) == [None]
    released.release()
    assert amounts(served(released), 3) == [None]
    released.materialize()
    assert amounts(released, 3, 1) == [None, None]
    released.store().drop(["last_order"])
    assert released.materialize(full=True).views[0].full
    assert amounts(released, 3) == [None]
    assert released.audit().mismatches == 0


def test_a_later_row_brings_a_deleted_key_back_everywhere(released):
    """A store that replays a deletion and a later row in any order holds the later row."""
    released.delete("last_order", KEY)
    object.__setattr__(released.settings, "as_of", NOW + timedelta(days=1))
    released.push("last_order", order(5.0, customer=3, at=NOW + timedelta(hours=1)))
    released.store().drop(["last_order"])
    released.materialize()
    assert amounts(released, 3) == [5.0]


def test_deleting_waits_for_the_writer_of_the_view(released):
    """A deletion waits for the lock of the view, so that it never writes an old state over a new one."""
    deleting = threading.Thread(target=released.delete, args=("last_order", KEY))
    with locked(released.layout.lock("last_order")):
        deleting.start()
        deleting.join(0.5)
        assert deleting.is_alive()
        assert amounts(released, 3) == [8.0]
    deleting.join()
    assert amounts(released, 3) == [None]


def test_a_missing_key_is_not_deleted(released):
    """A missing key is an error, and nothing is logged."""
    with pytest.raises(ContractError, match="'customer' is missing in 1 row"):
        released.delete("last_order", pl.DataFrame({"customer": [None]}, schema={"customer": pl.Int64}))
    assert not released.layout.deleted("last_order").exists()


def test_marks_of_other_keys_are_named_and_not_passed_over(released):
    """Deleted keys of other columns than the view has now are an error, not left out."""
    released.delete("last_order", KEY)
    [path] = released.layout.deleted("last_order").iterdir()
    pl.read_parquet(path).rename({"customer": "client"}).write_parquet(path)
    with pytest.raises(ContractError, match="its key columns are not those of"):
        released.materialize()


def test_a_rollback_to_an_edited_release_is_refused(released):
    """A rollback to a release whose definitions were edited is refused."""
    released.release()
    path = released.layout.releases / "0001/feature_repo/shop.py"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(SkewError, match="definitions were changed since the release was made"):
        released.rollback()
    assert released.active_release() == "0002"
