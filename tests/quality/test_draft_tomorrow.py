"""A draft made from the rows of today lets the ordinary rows of tomorrow pass, and stops those of another unit."""

import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.quality.gate.inspection import inspect
from featurestore.quality.profile.doubts import doubts_of
from featurestore.quality.profile.own_file import contract_from, draft_for
from featurestore.quality.profile.profile import profile
from featurestore.quality.profile.schema_draft import draft_schema
from featurestore.quality.profile.suggest import source_of


def orders(seed, first, number):
    """Rows of a shop that grows: new customers, prices of any height, weekdays, counts, temperatures."""
    chance = random.Random(seed * 100_003 + first)  # noqa: S311 - no secret
    numbers = range(first, first + number)
    return pl.DataFrame(
        {
            "order_id": [1_000 + n for n in numbers],
            "customer": [f"c{chance.randint(0, 5 + n // 40)}" for n in numbers],
            "city": [chance.choice(["Rome", "Oslo", "Bern"] + ["Wien"] * (n > 300)) for n in numbers],
            "code": [f"AB{n}" for n in numbers],
            "price": [round(chance.lognormvariate(2, 1), 2) for _ in numbers],
            "cents": [int(100 * chance.lognormvariate(2, 1)) for _ in numbers],
            "items": [min(1 + int(chance.expovariate(1)), 60) for _ in numbers],
            "share": [chance.betavariate(2, 3) for _ in numbers],
            "celsius": [chance.gauss(20, 4) for _ in numbers],
            "delay": [int(chance.gauss(5, 20)) for _ in numbers],
            "note": [None if chance.random() < 0.1 else "x" for _ in numbers],
        }
    )


@given(st.integers(0, 10**6), st.sampled_from([60, 120, 400]))
@examples(8)
def test_the_rows_of_tomorrow_pass(seed, number):
    """New identifiers, higher prices, larger counts, new customers and codes: each row passes."""
    today = orders(seed, 0, number)
    draft = draft_for(today, dataset="orders", name="RawOrders", typed=True).draft
    tomorrow = orders(seed, number, 50)
    verdict = inspect(
        pl.concat([today, tomorrow]), contract_from(source_of(draft), "RawOrders"), dataset="orders"
    ).verdict
    assert verdict.decision == "passed", verdict.explain(20)


def test_another_unit_does_not_pass():
    """Prices in cents, degrees Fahrenheit in the thousands, negative counts go to quarantine."""
    today = orders(1, 0, 400)
    draft = draft_for(today, dataset="orders", name="RawOrders", typed=True).draft
    bad = orders(1, 400, 3).with_columns(
        price=pl.Series([90_000.0, 1.0, 1.0]), share=pl.Series([0.1, 37.0, 0.1]), items=pl.Series([1, 1, -1])
    )
    verdict = inspect(
        pl.concat([today, bad]), contract_from(source_of(draft), "RawOrders"), dataset="orders"
    ).verdict
    assert (verdict.decision, verdict.rows_quarantined) == ("quarantined", 2)


@pytest.mark.parametrize(
    ("columns", "unique"),
    [
        ({"qty": [n * 7_919 % 100_003 for n in range(90)]}, ()),
        ({"postcode": [f"{n * 97:05d}" for n in range(90)]}, ()),
        ({"price": [f"{n}.50" for n in range(90)], "order": range(500, 590)}, ("order",)),
        ({"orderId": [n * 7_919 for n in range(90)], "row": range(90)}, ("orderId",)),
        ({"row": range(90), "reading": range(90)}, ("row",)),
        ({"token of": [f"{n:032x}" for n in range(90)]}, ("token of",)),
        ({"comment": [f"number {n} of the many comments" for n in range(2_000)]}, ()),
        ({"name": [f"user{n}" for n in range(2_000)]}, ("name",)),
        ({"day": pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 3, 31), eager=True)}, ("day",)),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_one_column_identifies_a_row_and_not_by_chance(columns, unique):
    """A key is named as one, leaves few gaps, or is text that is long or repeats in none of many rows."""
    frame = pl.DataFrame(columns)
    draft = draft_schema(profile(frame, dataset="x"), frame.schema, name="X")
    assert draft.unique == unique
    assert [f.column for f in draft.fields if any(c.argument == "unique" for c in f.checks)] == list(unique)


@pytest.mark.parametrize(
    ("values", "question"),
    [
        (["36,3", "37", "-1,5"], "numbers with a decimal comma?"),
        (["1.234,50", "7,1"], "numbers with a decimal comma?"),
        (["1,234", "12"], "numbers with commas between thousands?"),
        (["$5.10", "$6"], "amounts with a currency?"),
        (["5 kg", "6.5 kg"], "numbers in kg?"),
        (["5%", "10%"], "numbers in %?"),
        (["01.02.24", "31.12.23"], "days with a year of two digits?"),
        (["5. Januar 2024", "17. März 2024"], "dates or times?"),
        (["Jan 5, 2024", "May 17, 2024"], "dates or times?"),
        (["2024-02-30", "2024-02-01"], "dates or times?"),
        (["2024-01-01 10:00:00 Europe/Berlin"], "dates or times?"),
        (["2024-01-31", "2024-02-01"], "dates as text? Then declare pl.Date"),
        (
            ["2024-01-31 10:00"],
            (
                'times as text? Then declare Annotated[pl.Datetime, "us", "UTC"], and "format": "%Y-%m-%d %H:%M" in its metadata'
                ". Times without a zone are read as UTC"
            ),
        ),
        (["31.01.2024"], 'dates as text? Then declare pl.Date, and "format": "%d.%m.%Y" in its metadata'),
        (["2024-01-31T10:00:00Z"], 'times as text? Then declare Annotated[pl.Datetime, "us", "UTC"]'),
        (["Y", "N"], "yes and no?"),
        (["ja", "nein", "NA"], "yes and no?"),
        ([1_704_067_200, 1_704_067_260], "times, as seconds since 1970?"),
        ([1_704_067_200_000], "times, as milliseconds since 1970?"),
        ([20240131, 20240201], "days, such as 20240201?"),
        (["a", "b"], None),
        (["5 kg", "6 lb"], None),
        (["1a", "2b"], None),
        (["Rome", "may"], None),
        (["NA", None], None),
        ([1, 2, 3], None),
        ([1_704_067_200, 5], None),
        ([], None),
    ],
    ids=str,
)
def test_what_looks_like_something_else_raises_a_question(values, question):
    """Numbers and times in a spelling that the draft does not read; plain text and numbers raise none."""
    texts = list(doubts_of(pl.Series("x", values, dtype=None if values else pl.String), ("NA",)))
    assert [text[: len(question or "")] for text in texts] == ([question] if question else [])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["36,3", "1.234,5"], [36.3, 1234.5]),
        (["1,234.5", "-7"], [1234.5, -7.0]),
        (["5%", "-10%"], [5.0, -10.0]),
    ],
    ids=str,
)
def test_the_answer_to_a_question_is_code_that_runs(values, expected):
    """The expression in the question reads the column."""
    [question] = doubts_of(pl.Series("the column", values), ())
    code = question.partition("A view reads ")[2]
    expression = eval(code, {"pl": pl})  # noqa: S307 - our own code
    assert pl.DataFrame({"the column": values}).select(expression).to_series().to_list() == expected
