"""The scorecard proposes to drop what tells nothing, and to review what tells too much."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import polars as pl
import pytest
from runner import run

from featurestore.errors import MissingDataError
from featurestore.splits.measure import SplitPart
from featurestore.storage.files import write_record
from featurestore.storage.made_by import metadata_of

ROWS = 400
START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def trained(shared_shop):
    """A shop whose training set has features of known worth, in place of its five rows."""
    shared_shop.training_set("visits")
    random = np.random.default_rng(5)
    bought = pl.Series(random.random(ROWS) < 0.5)
    amount = pl.Series(random.normal(size=ROWS)) + bought.cast(pl.Float64) * 1.5
    rows = pl.DataFrame(
        {
            "basket": pl.Series(random.random(ROWS)),
            "customer": pl.Series(range(ROWS)),
            "event_timestamp": [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(ROWS)],
            "bought": bought,
            "amount": amount.cast(pl.Float32),
            "coupon": pl.Series(random.integers(0, 5, ROWS)).cast(pl.String),
            "ordered_at": [datetime(2024, 1, 1, tzinfo=UTC)] * ROWS,
            "ratio": (amount * 2).cast(pl.Float32),
        }
    )
    path = shared_shop.layout.training("visits")
    rows.select(pl.read_parquet(path).columns).write_parquet(
        path, metadata=metadata_of(shared_shop.catalog.training_set("visits"))
    )
    present = {"PRESENT": ROWS - 80, "NOT_FOUND": 80}
    statuses = dict.fromkeys(("amount", "coupon", "ordered_at", "ratio"), present)
    manifest = msgspec.structs.replace(shared_shop.training_manifest("visits"), statuses=statuses)
    write_record(manifest, shared_shop.layout.training_manifest("visits"))
    return shared_shop


def test_each_feature_has_a_proposal_with_its_reason(trained):
    """One tells something; its double, a constant and chance do not add to it."""
    card = trained.quality.scorecard("visits")
    scores = {score.name: score for score in card.features}

    assert (card.label, card.rows) == ("bought", ROWS)
    assert {name: score.proposal for name, score in scores.items()} == {
        "amount": "keep",
        "ratio": "drop",
        "coupon": "drop",
        "ordered_at": "drop",
    }
    assert scores["ratio"].same_as == ("amount",)
    assert scores["coupon"].reasons == ("it tells 0.48% of the label, and chance alone may give 1.53%",)
    assert scores["amount"].reasons == ("it tells 37.18% of the label, and chance alone may give 2.30%",)
    assert scores["ordered_at"].reasons == ("it has one value",)
    assert scores["amount"].auc > 0.8
    assert scores["coupon"].rare == 0
    assert scores["amount"].services == ("buying",)


def test_one_of_the_features_that_say_the_same_is_kept(trained):
    """A feature that is dropped makes no other redundant: `ratio` says what `amount` says, which is nearly always missing."""
    manifest = trained.training_manifest("visits")
    missing = {**manifest.statuses, "amount": {"PRESENT": 1, "NULL_VALUE": 99}}
    path = trained.layout.training_manifest("visits")
    write_record(msgspec.structs.replace(manifest, statuses=missing), path)
    try:
        scores = {score.name: score for score in trained.quality.scorecard("visits").features}
    finally:
        write_record(manifest, path)

    assert (scores["amount"].proposal, scores["ratio"].proposal) == ("drop", "keep")
    assert scores["ratio"].same_as == ("amount",)
    assert "says the same" not in scores["ratio"].reasons[0]


def test_equal_data_give_an_equal_scorecard(trained):
    """A file of it that DVC versions changes with the data alone: the time of the join is measured only on demand."""
    [first, second] = (msgspec.json.encode(trained.quality.scorecard("visits")) for _ in range(2))
    printed = run("scorecard", "visits", cwd=trained.settings.root).stdout
    with_cost = run("scorecard", "visits", "--cost", cwd=trained.settings.root).stdout

    assert first == second
    assert "µs a row" not in printed
    assert "µs a row" in with_cost


def test_few_rows_decide_nothing(trained):
    """A feature is not dropped for what 40 rows do not show: the limit of chance is far above what a good feature tells."""
    path = trained.layout.training("visits")
    metadata = pl.read_parquet_metadata(path)
    rows = pl.read_parquet(path)
    rows.head(40).write_parquet(path, metadata=metadata)
    try:
        scores = {score.name: score for score in trained.quality.scorecard("visits").features}
    finally:
        rows.write_parquet(path, metadata=metadata)

    assert scores["coupon"].information < 0.1 < scores["coupon"].chance
    assert scores["coupon"].proposal == "review"
    assert scores["coupon"].reasons[0].endswith(": 40 rows are too few to decide")


def test_late_rows_and_the_cost_of_the_join_are_those_of_the_views(trained):
    """Three of the six good orders were loaded later than a minute after them; `ratio` is computed from the same view."""
    scores = {score.name: score for score in trained.quality.scorecard("visits", cost=True).features}
    rows = trained.read("last_order")
    late = (rows["created_timestamp"] > rows["event_timestamp"] + timedelta(minutes=1)).sum()

    assert late == 3
    assert {score.late for score in scores.values()} == {late / rows.height}
    assert len({score.cost for score in scores.values()}) == 1
    assert scores["ratio"].cost > 0


def test_a_list_says_that_it_is_not_measured(trained):
    """It is kept, with the reason and the step that makes columns of it."""
    path = trained.layout.training("visits")
    metadata = pl.read_parquet_metadata(path)
    rows = pl.read_parquet(path)
    rows.with_columns(coupon=pl.concat_list("coupon")).write_parquet(path, metadata=metadata)
    try:
        [score] = [s for s in trained.quality.scorecard("visits").features if s.name == "coupon"]
    finally:
        rows.write_parquet(path, metadata=metadata)

    assert (score.proposal, score.bits) == ("keep", None)
    assert "multi_hot" in score.reasons[0]
    assert score.chance is None


def test_a_feature_that_knows_the_label_is_to_be_reviewed(trained):
    """It is informative beyond belief: most such features leak."""
    path = trained.layout.training("visits")
    metadata = pl.read_parquet_metadata(path)
    rows = pl.read_parquet(path)
    rows.with_columns(coupon=pl.col("bought").cast(pl.String)).write_parquet(path, metadata=metadata)
    try:
        scores = {score.name: score for score in trained.quality.scorecard("visits").features}
    finally:
        rows.write_parquet(path, metadata=metadata)

    assert (scores["coupon"].proposal, scores["coupon"].auc) == ("review", 1.0)


def test_only_rows_of_train_are_measured(trained):
    """Rows of test change no measure but the drift."""
    path = trained.layout.training("visits")
    metadata = pl.read_parquet_metadata(path)
    rows = pl.read_parquet(path)
    test = rows.with_columns(amount=-pl.col("amount") * 50, split=pl.lit("test"))
    before = {score.name: score for score in trained.quality.scorecard("visits").features}
    pl.concat([rows.with_columns(split=pl.lit("train")), test]).write_parquet(path, metadata=metadata)
    try:
        after = {score.name: score for score in trained.quality.scorecard("visits").features}
    finally:
        rows.write_parquet(path, metadata=metadata)

    assert after["amount"].bits == before["amount"].bits
    assert after["amount"].drift == "major"
    assert before["amount"].drift == "none"


def test_missing_values_are_those_of_train(trained):
    """Rows of other splits do not count; a manifest that does not distinguish them is refused."""
    path = trained.layout.training_manifest("visits")
    manifest = trained.training_manifest("visits")
    part = SplitPart(rows=1, labels={}, digest="", first=START, last=START)
    split = msgspec.structs.replace(
        manifest,
        splits={"train": part, "test": part},
        train_statuses={"amount": {"PRESENT": 1, "NULL_VALUE": 3}},
    )
    former = msgspec.structs.replace(split, train_statuses={})
    try:
        write_record(split, path)
        [amount] = [s for s in trained.quality.scorecard("visits").features if s.name == "amount"]
        write_record(former, path)
        with pytest.raises(MissingDataError, match="does not say which values of train are missing"):
            trained.quality.scorecard("visits")
    finally:
        write_record(manifest, path)

    assert amount.missing == {"NULL_VALUE": 0.75, "NOT_FOUND": 0.0, "OUTSIDE_MAX_AGE": 0.0}


def test_the_command_prints_features_and_reasons(trained):
    """The most informative feature comes first; JSON has all fields."""
    printed = run("scorecard", "visits", cwd=trained.settings.root)
    record = json.loads(run("scorecard", "visits", "--json", cwd=trained.settings.root).stdout)

    assert printed.stdout.splitlines()[2].split()[:2] == ["amount", "keep"]
    assert "drop ratio: it says the same as amount" in printed.stdout
    assert "keep amount: it tells 3" in printed.stdout
    assert record["features"][0]["missing"] == {"NULL_VALUE": 0.0, "NOT_FOUND": 0.2, "OUTSIDE_MAX_AGE": 0.0}


def test_a_training_set_that_is_not_built_is_named(shop):
    """The error says which command builds it."""
    with pytest.raises(MissingDataError, match="featurestore training-set visits"):
        shop.quality.scorecard("visits")
