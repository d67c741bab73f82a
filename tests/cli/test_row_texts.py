"""What push, delete and replay print: what was not done, why, and what else was reached."""

from datetime import UTC, datetime

from featurestore.cli.replay_text import replay_text
from featurestore.cli.row_texts import deleted_text, pushed_text
from featurestore.operations.audit.causes import Cause
from featurestore.operations.delete import DeletePlan
from featurestore.operations.push.push import Pushed
from featurestore.operations.replay.replay import LeftOut, ReplayRecord

NOW = datetime(2024, 1, 10, tzinfo=UTC)


def test_a_push_says_why_rows_wrote_nothing_and_whether_the_release_was_reached():
    """Each reason has a line; the active release is named whether it has the rows or not."""
    common = {
        "view": "v",
        "until": NOW,
        "full": False,
        "rows_read": 4,
        "rows_applied": 0,
        "rows_older": 4,
        "rows": 4,
    }
    reasons = {"repeated": 1, "pending": 1, "pending_until": NOW, "deleted": 1, "older": 1}
    text = pushed_text(Pushed(**common, **reasons, release="0001"))
    assert text.splitlines() == [
        "v: 4 rows pushed, 0 written; until 2024-01-10T00:00:00+00:00",
        "  1 not written: the same row was pushed at the same time before",
        "  1 not written yet: known at 2024-01-10T00:00:00+00:00 or before; then run: featurestore materialize",
        "  1 not written: the key was deleted at the time of the event or after it",
        "  1 not written: the store holds a newer row of the key",
        "  release 0001, which is active, has the rows too",
    ]
    assert "release 0002, which is active, does not have the rows" in pushed_text(
        Pushed(**common, not_reached="0002")
    )


def test_a_deletion_names_the_release_and_the_keys_that_were_deleted_already():
    """The count is of keys that were not deleted before."""
    plan = DeletePlan(view="v", at=NOW, keys=3, stored=1, release="0001")
    assert deleted_text(plan, 1) == (
        "v: 1 key deleted, 2 were deleted already; release 0001, which is active, does not have them either"
    )


def test_a_deletion_says_how_many_of_the_keys_were_stored():
    """A mistyped key is marked as deleted, and the text says that no row of it was stored."""
    plan = DeletePlan(view="v", at=NOW, keys=1, stored=0, release=None)
    assert deleted_text(plan, 1) == "v: 1 key deleted, 0 of them stored"


def test_a_replay_prints_causes_and_what_was_not_compared():
    """Causes, stale vectors, writes in flight and vectors of other definitions have a line each."""
    record = ReplayRecord(
        cells=10,
        mismatches=2,
        views=(),
        services=(),
        differences=(),
        vectors=5,
        causes={Cause.LATE_DATA: 2, Cause.STALE_ANSWER: 1},
        stale=1,
        in_flight=1,
        left_out=(LeftOut(release="0001", definition="sha256:ab", vectors=7),),
    )
    text = replay_text(record)
    assert text.startswith("5 vectors, 10 cells replayed, 2 mismatches\n")
    for part in (
        "late data",
        "stale answer",
        "1 vector was marked as stale",
        "1 vector was asked for while",
    ):
        assert part in text
    assert "7 vectors left out: other code: release 0001 served them by definition sha256:ab" in text
