"""Of several labels of a row, the policy chooses one; agreement has the values that its authors published."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from sklearn.metrics import cohen_kappa_score

from featurestore.errors import ContractError
from featurestore.labels.agreement import agreement
from featurestore.labels.declare import labelled_by
from featurestore.labels.resolve import resolve

START = datetime(2024, 1, 1, tzinfo=UTC)
# Row a: ann corrects herself. Row b: a tie. Row c: all agree. Row d: ann alone.
LABELS = [
    ("a", "ann", "no", 1), ("a", "ben", "no", 2), ("a", "ann", "yes", 3), ("a", "eve", "yes", 2),
    ("b", "ben", "yes", 1), ("b", "eve", "no", 2),
    ("c", "ann", "no", 1), ("c", "ben", "no", 2),
    ("d", "ann", "yes", 1),
]  # fmt: skip


def labels_of(rows):
    frame = pl.DataFrame(rows, schema=["row", "who", "label", "hour"], orient="row")
    return frame.with_columns(at=pl.lit(START) + pl.duration(hours="hour"))


def resolved(rows, policy, *, order=(), known_at=None):
    known_at = pl.col("at").dt.epoch("us") if known_at is None else known_at
    labellers = labelled_by("who", policy=policy, order=order)
    return resolve(labels_of(rows), ["row"], "label", labellers, known_at=known_at, where="set 's'")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("latest", {"a": "yes", "b": "no", "c": "no", "d": "yes"}),
        ("first", {"a": "no", "b": "yes", "c": "no", "d": "yes"}),
        ("majority", {"a": "yes", "c": "no", "d": "yes"}),
        ("unanimous", {"c": "no", "d": "yes"}),
        ("priority", {"a": "no", "b": "yes", "c": "no", "d": "yes"}),
    ],
)
def test_the_policy_decides_each_row(policy, expected):
    """A labeller's newest label counts; a tie, and rows on which they disagree, are left out and counted."""
    order = ("ben", "ann", "eve") if policy == "priority" else ()
    result = resolved(LABELS, policy, order=order)
    assert dict(result.rows.select("row", "label").sort("row").rows()) == expected
    assert result.agreement.undecided == 4 - len(expected)
    assert result.rows.columns == ["row", "who", "label", "hour", "at"]
    assert (result.agreement.labellers, result.agreement.rows) == (3, 4)
    assert (result.agreement.shared, result.agreement.equal) == (3, 1)


def test_the_row_is_that_of_the_newest_equal_label():
    """Its time says when the label of a majority was known; for ``first`` it is the oldest one."""
    rows = [("a", "ann", "yes", 1), ("a", "ben", "yes", 4), ("a", "eve", "no", 9)]
    assert resolved(rows, "majority").rows.row(0)[:4] == ("a", "ben", "yes", 4)
    assert resolved(rows, "first").rows.row(0)[:4] == ("a", "ann", "yes", 1)
    assert resolved(rows, "latest").rows.row(0)[:4] == ("a", "eve", "no", 9)


def test_the_agreement_is_that_of_the_labels_that_count():
    """Ann agreed with Ben at first and not after her correction; ``first`` reads neither the correction nor a clash in it."""
    rows = [("a", "ann", "no", 1), ("a", "ben", "no", 2), ("a", "ann", "yes", 3)]
    assert [resolved(rows, policy).agreement.equal for policy in ("first", "latest")] == [1, 0]
    clash = [*rows, ("a", "ann", "no", 3)]
    assert resolved(clash, "first").agreement.equal == 1
    with pytest.raises(ContractError, match="two labels of one labeller at one time"):
        resolved([*rows, ("a", "ann", "yes", 1)], "first")


def test_labels_of_one_time_decide_nothing():
    """Of two labels at one time neither is the latest or the first."""
    rows = [("a", "ann", "yes", 1), ("a", "ben", "no", 1), ("b", "ann", "no", 1)]
    for policy in ("latest", "first"):
        result = resolved(rows, policy)
        assert (result.rows["row"].to_list(), result.agreement.undecided) == (["b"], 1)


@pytest.mark.parametrize(
    ("rows", "policy", "known_at", "message"),
    [
        ([*LABELS, ("a", "ann", "no", 3)], "majority", None, "1 row with two labels of one labeller at one time, first row=a who=ann"),
        (LABELS, "majority", pl.lit(0), "1 row with two labels of one labeller at one time, first row=a who=ann"),
        ([*LABELS, ("a", "zoe", "no", 3)], "priority", None, "1 labeller not in the order of `labelled_by`: 'zoe'"),
    ],
)  # fmt: skip
def test_labels_that_no_policy_can_read_are_refused(rows, policy, known_at, message):
    """Two labels of one labeller at one time, and a labeller that the order does not name."""
    order = ("ben", "ann", "eve") if policy == "priority" else ()
    with pytest.raises(ContractError, match=message):
        resolved(rows, policy, order=order, known_at=known_at)


def test_personal_values_are_not_shown():
    """Neither a key nor the name of a labeller."""
    labels = labels_of([("a", "ann", "no", 1), ("a", "ann", "yes", 1)])
    with pytest.raises(ContractError) as error:
        resolve(
            labels,
            ["row"],
            "label",
            labelled_by("who", policy="majority"),
            known_at=pl.lit(0),
            where="set",
            personal=("who", "row"),
        )
    assert "row=(personal) who=(personal)" in str(error.value)
    with pytest.raises(ContractError) as error:
        resolve(
            labels,
            ["row"],
            "label",
            labelled_by("who", policy="priority", order=("ben",)),
            known_at=pl.lit(0),
            where="set",
            personal=("who",),
        )
    assert "ann" not in str(error.value)


def votes_of(table):
    """Return the votes of a table: for each row, how many labellers chose each class."""
    rows = [
        (row, f"{row} {number}", label)
        for row, counts in enumerate(table)
        for number, label in enumerate(label for label, count in enumerate(counts) for _ in range(count))
    ]
    return pl.DataFrame(rows, schema=["row", "who", "label"], orient="row")


def test_fleiss_kappa_of_the_textbook():
    """Ten subjects, 14 raters, five classes: kappa is 0.210."""
    table = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    result = agreement(votes_of(table), "row", "who", "label", undecided=0)
    assert (round(result.kappa, 3), result.measure, result.equal) == (0.210, "fleiss", 1)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30),
    seed=st.integers(0, 99),
)
@examples(30)
def test_cohens_kappa_is_that_of_scikit_learn(pairs, seed):
    """For two labellers, in any order of the rows; without chance to disagree there is none."""
    rows = [(n, who, label) for n, pair in enumerate(pairs) for who, label in zip("ab", pair, strict=True)]
    votes = pl.DataFrame(rows, schema=["row", "who", "label"], orient="row").sample(
        fraction=1, shuffle=True, seed=seed
    )
    result = agreement(votes, "row", "who", "label", undecided=0)
    if len({label for pair in pairs for label in pair}) == 1:
        assert (result.kappa, result.measure) == (None, None)
    else:
        assert result.kappa == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))
        assert result.measure == "cohen"
    assert result.equal == sum(left == right for left, right in pairs)


@given(st.permutations(LABELS), st.sampled_from(["latest", "first", "majority", "unanimous"]))
@examples(20)
def test_the_order_of_labels_changes_nothing(labels, policy):
    """Neither the label of a row nor a bit of the agreement."""
    before, after = resolved(LABELS, policy), resolved(labels, policy)
    assert after.rows.sort("row").equals(before.rows.sort("row"))
    assert after.agreement == before.agreement


def test_one_labeller_says_nothing_about_agreement():
    """Without a shared row kappa is missing, and for quantities too."""
    alone = pl.DataFrame({"row": [1, 2], "who": ["a", "b"], "label": ["x", "y"]})
    assert agreement(alone, "row", "who", "label", undecided=0).kappa is None
    amounts = pl.DataFrame({"row": [1, 1], "who": ["a", "b"], "label": [1.0, 2.0]})
    result = agreement(amounts, "row", "who", "label", undecided=0)
    assert (result.shared, result.equal, result.kappa) == (1, 0, None)


def test_kappa_below_chance():
    """Labellers that always disagree are below chance."""
    opposite = [("a", "b"), ("b", "a")] * 3
    rows = [(n, who, label) for n, pair in enumerate(opposite) for who, label in zip("xy", pair, strict=True)]
    votes = pl.DataFrame(rows, schema=["row", "who", "label"], orient="row")
    assert agreement(votes, "row", "who", "label", undecided=0).kappa == -1.0


def test_several_classes_of_a_row_are_one_label_in_any_order():
    """Two labellers who name the same classes agree; the list of the newest one is kept as it is."""
    rows = labels_of([("a", "ann", "", 1), ("a", "ben", "", 2), ("b", "ann", "", 1), ("b", "ben", "", 2)])
    lists = pl.Series("label", [["x", "y"], ["y", "x"], ["x"], []], dtype=pl.List(pl.String))
    known_at, labellers = pl.col("at").dt.epoch("us"), labelled_by("who", policy="unanimous")

    decided, measured = resolve(
        rows.with_columns(lists), ["row"], "label", labellers, known_at=known_at, where="set 's'"
    )

    assert decided.select("row", "label").rows() == [("a", ["y", "x"])]
    assert (measured.shared, measured.equal, measured.undecided) == (2, 1, 1)
    assert measured.kappa is not None
