"""A training set that reveals its label is found, with the feature or the rows; a clean one raises no alarm."""

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest
from runner import run

import featurestore
from featurestore.errors import SkewError
from featurestore.operations.check_leaks.labels import label_leaks, telling

START = datetime(2024, 1, 1, tzinfo=UTC)
COUNT = 200
NUMBER = pl.int_range(COUNT)
# A label without a pattern that a row's number would give away.
LABEL = (NUMBER * 48_271 % 1_009 % 3 == 0).alias("label")
NOISE = NUMBER * 16_807 % 2_003
WORDS = pl.when(LABEL).then(pl.lit("late")).otherwise(pl.lit("early"))
TELLING = {
    "the label": LABEL,
    "its opposite": ~LABEL,
    "in words": WORDS,
    "as a category": WORDS.cast(pl.Categorical),
    "as a score": pl.when(LABEL).then(1_000.0).otherwise(0.0) + NOISE / 1e4,
    "as a time": pl.lit(START) + pl.duration(days=pl.when(LABEL).then(1_000 + NOISE).otherwise(NOISE % 500)),
    "all but one row": pl.when(NUMBER == 7).then(~LABEL).otherwise(LABEL),
    "missing where it is false": pl.when(LABEL).then(NOISE / 7),
    "missing text where it is true": pl.when(~LABEL).then((NOISE % 9).cast(pl.String)),
    "lists where it is true": pl.when(LABEL).then(pl.concat_list(NOISE)),
    "codes": pl.when(LABEL).then(NUMBER % 4 * 2).otherwise(NUMBER % 4 * 2 + 1),
}
HONEST = {
    "noise": NOISE / 7,
    "a weak hint": pl.when(LABEL).then(NOISE + 600).otherwise(NOISE),
    "an identifier": NUMBER.cast(pl.String),
    "one value": 0.0 * NUMBER,
    "rarely missing": pl.when(NUMBER != 3).then(NOISE / 7),
    "always missing": pl.lit(None, dtype=pl.Float64) + NUMBER,
    "rare words": pl.when(NUMBER < 30).then(WORDS).otherwise(pl.lit("other")),
}


def measured(feature, label=LABEL):
    frame = pl.select(feature=feature, label=label)
    return telling(frame["feature"], frame["label"])


@pytest.mark.parametrize("name", TELLING)
def test_a_feature_that_is_the_label_in_other_words_is_found(name):
    """As a value, a code, a word, a score, a time, or by being missing; one row that differs hides nothing."""
    assert measured(TELLING[name]) > 0.97


@pytest.mark.parametrize("name", HONEST)
def test_a_feature_that_helps_is_no_leak(name):
    """Hints, identifiers, constants and rare values do not tell the label."""
    assert measured(HONEST[name]) is None


def test_labels_of_many_classes_and_numbers():
    """A code of each class tells it, and so does a number that rises with the label; few rows tell nothing."""
    assert measured((NUMBER % 5).cast(pl.String), (NUMBER % 5 * 3).alias("label")) == 1.0
    assert measured(NOISE % 5, (NUMBER % 5).alias("label")) is None
    assert measured(NOISE**3, NOISE.alias("label")) > 0.999
    assert measured(-NOISE, (NOISE + NUMBER % 3).alias("label")) > 0.995
    assert measured(NUMBER, NOISE.alias("label")) is None
    assert telling(pl.Series([0, 0, 1, 1]), pl.Series([False, False, True, True])) is None
    assert telling(pl.Series([1, 2] * 50), pl.Series([True] * 100)) is None


@pytest.fixture
def visits(shop):
    """Return a function that writes the training set with other columns, and checks it."""
    shop.training_set("visits")
    path = shop.layout.training("visits")
    metadata = pl.read_parquet_metadata(path)

    def check(rows):
        rows.write_parquet(path, metadata={"featurestore.fingerprint": metadata["featurestore.fingerprint"]})
        [checked] = shop.check_leaks(["visits"]).training_sets
        return [(leak.kind, leak.column, leak.rows) for leak in checked.leaks]

    return check


def rows_of(**columns):
    """Many visits, of which the label has no pattern."""
    rows = pl.select(
        basket=NOISE / 7, customer=NUMBER, event_timestamp=pl.lit(START) + pl.duration(minutes=NUMBER), bought=LABEL,
        amount=(NOISE % 97).cast(pl.Float32), coupon=pl.lit("A"), ordered_at=pl.lit(START), ratio=NOISE / 3,
    )  # fmt: skip
    return rows.with_columns(**columns)


def test_a_clean_training_set_has_no_leak(visits):
    """Splits that share an entity, but no row, raise no alarm."""
    assert visits(rows_of()) == []
    parts = pl.when(NUMBER < 150).then(pl.lit("train")).otherwise(pl.lit("test"))
    assert visits(rows_of(split=parts, customer=NUMBER % 10)) == []


def test_features_and_shared_rows_are_named(visits):
    """The feature that predicts the label; rows of one identity, and rows that are copies, in two splits."""
    assert visits(rows_of(amount=LABEL.cast(pl.Float32))) == [("predicts_label", "amount", COUNT)]
    parts = pl.when(NUMBER < 150).then(pl.lit("train")).otherwise(pl.lit("test"))
    rows = rows_of(split=parts)
    copied = pl.concat([rows, rows.head(3).with_columns(split=pl.lit("validation"))])
    assert visits(copied) == [("shared_between_splits", "customer, event_timestamp", 6)]


def test_copies_under_numbers_of_their_own_are_named(shared_shop):
    """Rows that differ only in the column that numbers them are the same row, in train and in test."""
    training = shared_shop.catalog.training_set("visits")
    numbered = replace(training, contract=replace(training.contract, uniques=(("ratio",),)))
    rows = rows_of(split=pl.lit("train"))
    copies = rows.head(4).with_columns(ratio=-1.0 - NUMBER.head(4), split=pl.lit("test"))
    leaks = label_leaks(pl.concat([rows, copies]), numbered)
    assert [(leak.kind, leak.column, leak.rows) for leak in leaks] == [("shared_between_splits", "", 8)]
    earlier = copies.with_columns(event_timestamp=pl.lit(START) - pl.duration(minutes=NUMBER.head(4) + 1))
    assert label_leaks(pl.concat([rows, earlier]), numbered) == []


def test_the_command_exits_with_5(shop, visits):
    """The table has the training set; the error names the feature."""
    visits(rows_of(ratio=LABEL.cast(pl.Float32)))
    done = run("check-leaks", cwd=shop.settings.root)
    assert done.returncode == 5
    assert "visits         200         4  predicts the label" in done.stdout
    assert "visits: 1 leak of the label" in done.stderr
    assert "visits: ratio predicts the label (1.0000 of 1), 200 rows" in done.stderr
    shop.materialize()
    with pytest.raises(SkewError):
        shop.release()


def kinds_of(shop, *edits):
    """Edit the shop's files, build the training set, and return what it knows."""
    for name, before, after in edits:
        path = shop.settings.root / name
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))
    project = featurestore.open(shop.settings.root)
    project.training_set("visits")
    [checked] = project.check_leaks(["visits"]).training_sets
    return [(leak.kind, leak.column, leak.rows) for leak in checked.leaks]


@pytest.mark.parametrize(("hours", "leaks"), [(0, []), (2, [("known_later", "basket", 5)])])
def test_a_request_value_that_is_known_after_the_row_is_named(shop, hours, leaks):
    """Serving could not have known it."""
    basket = 'description="worth of the basket", metadata={'
    known = f'{basket}"known": timedelta(hours={hours}), '
    imports = ("schemas/shop.py", "\nfrom typing", "\nfrom datetime import timedelta\nfrom typing")
    assert kinds_of(shop, imports, ("schemas/shop.py", basket, known)) == leaks


@pytest.mark.parametrize(("hours", "leaks"), [(1, []), (-1, [("label_known_before", "bought", 5)])])
def test_a_label_that_was_known_before_the_row_is_named(shop, hours, leaks):
    """Serving could have read it."""
    column = '    at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when it ended")\n'
    label = "    bought: pl.Boolean"
    when = f"at=pl.col('ordered_at') + timedelta(hours={hours - 1}), bought=pl.lit(True)"
    assert (
        kinds_of(
            shop,
            ("schemas/shop.py", label, column + label),
            ("feature_repo/shop.py", "bought=pl.lit(True)", when),
            ("feature_repo/shop.py", 'label="bought"', 'label="bought", matures="at"'),
        )
        == leaks
    )


def test_a_label_that_is_a_request_value_is_named(shop):
    """The model would get the answer in its request."""
    assert ("is_label", "basket", 5) in kinds_of(
        shop, ("feature_repo/shop.py", 'label="bought"', 'label="basket"')
    )
