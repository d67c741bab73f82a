"""On-demand views are computed by a plain Python function where that is exact, and by Polars where it is not."""

import itertools
import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from runner import run

import featurestore
from featurestore import Frame, on_demand_feature_view
from featurestore.definitions.on_demand import OnDemandFeatureView
from featurestore.errors import ContractError
from featurestore.expressions.row_function import NotCompiled, RowFunction
from featurestore.vectors.compiled import MAX_COMPILED_ROWS, compiled
from featurestore.vectors.complete import compute
from featurestore.vectors.computed import Computed


class Asked(pa.DataFrameModel):
    """A request."""

    x: pl.Float64 = pa.Field(
        nullable=True, description="a request value", metadata={"unit": "1", "nan": "null"}
    )
    n: pl.Int64 = pa.Field(nullable=True, description="a request value", metadata={"unit": "1"})


class Answer(pa.DataFrameModel):
    """A feature."""

    y: pl.Float64 = pa.Field(nullable=True, description="a feature", metadata={"unit": "1"})


def view_of(expression: pl.Expr) -> OnDemandFeatureView:
    """Return a view of one feature."""

    def view(rows: Frame[Asked]) -> Frame[Answer]:
        """One feature."""
        return rows.select(y=expression)

    return on_demand_feature_view(owner="me")(view)


def test_one_row_has_the_bits_that_it_has_among_many() -> None:
    """Polars divides a column of one row by a constant, and multiplies a longer one by the reciprocal."""
    view = view_of(pl.col("x") / 7)
    rows = pl.DataFrame({"x": [k / 10 for k in range(1, 200)], "n": range(1, 200)})

    together = compute(view, rows)["y"].to_list()

    assert [compute(view, row)["y"].item() for row in rows.iter_slices(1)] == together
    function = compiled(view)
    assert isinstance(function, RowFunction)
    assert [function.compute(row) for row in rows.rows()] == [(value,) for value in together]


@pytest.mark.parametrize("count", [1, MAX_COMPILED_ROWS, MAX_COMPILED_ROWS + 1])
@pytest.mark.parametrize("expression", [pl.col("x") * pl.col("n"), pl.col("x") / pl.col("n").abs().sqrt()])
def test_rows_of_a_request_are_those_of_polars(expression: pl.Expr, count: int) -> None:
    """For few rows and for many, and where the function leaves the last row to Polars."""
    view = view_of(expression)
    rows = [(k / 10, k) for k in range(1, count)] + [(0.5, 2**63 - 1)]
    expected = compute(view, pl.DataFrame(rows, schema=view.input_schema, orient="row")).rows()
    assert Computed.of(view, ("x", "n"), ()).compute(rows, [[]] * count) == expected
    with pytest.raises(ContractError, match="wrong type"):
        Computed.of(view, ("x", "n"), ()).compute([*rows[:-1], (0.5, "2")], [[]] * count)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((2.0, 3), (6.0,)),
        ((float("nan"), 3), (None,)),
        ((None, 3), (None,)),
        ((1e308, 100), (None,)),
        ((2.0, True), None),
        ((2.0, 2**63), None),
        (("2.0", 3), None),
    ],
)
def test_a_row_is_computed_or_left_to_polars(row: tuple[Any, ...], expected: tuple[Any, ...] | None) -> None:
    """NaN and infinity become null; a value of another type or range is left to Polars."""
    function = compiled(view_of(pl.col("x") * pl.col("n")))

    assert isinstance(function, RowFunction)
    assert function.compute(row) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (pl.col("x").map_elements(math.gamma, return_dtype=pl.Float64), "a Python function"),
        (pl.col("x").cbrt(), "Cbrt of Float64"),
        (pl.concat_list("x", "x").list.first(), "Concat of Float64"),
        (
            pl.col("n").cast(pl.String).str.to_decimal(scale=2).cast(pl.Float64),
            "str.ToDecimal with these arguments",
        ),
    ],
)
def test_a_view_that_polars_computes_says_why(expression: pl.Expr, reason: str) -> None:
    """The reason names the first expression that has no plain Python function."""
    function = compiled(view_of(expression))

    assert isinstance(function, NotCompiled)
    assert function.reason == reason


def test_a_view_whose_plan_changes_from_call_to_call_is_not_compiled() -> None:
    """A clock in the plan would stand still."""
    ticks = itertools.count()

    def view(rows: Frame[Asked]) -> Frame[Answer]:
        """One feature."""
        return rows.select(y=pl.col("x") + next(ticks))

    function = compiled(on_demand_feature_view(owner="me")(view))

    assert function == NotCompiled("it returns another plan at each call")


def age_in_days() -> pl.Expr:
    """Return how long ago the first day of an epoch was."""
    return pl.lit((datetime.now(tz=UTC).date() - date(1970, 1, 1)).days)


def test_a_view_that_reads_the_clock_is_not_compiled() -> None:
    """Its plan is the same for a day, and a server runs for longer."""

    def view(rows: Frame[Asked]) -> Frame[Answer]:
        """One feature."""
        return rows.select(y=pl.col("x") + age_in_days())

    function = compiled(on_demand_feature_view(owner="me")(view))

    assert function == NotCompiled("its function reads what changes from call to call: now")


def test_the_reference_project_is_computed_in_python() -> None:
    """The function of the flights has time zones, sines, casts and durations."""
    from feature_repo.departure_conditions import departure_conditions  # noqa: PLC0415 - it reads all schemas

    assert isinstance(compiled(departure_conditions), RowFunction)


def test_check_names_the_views_that_polars_computes(shop_files: Path) -> None:
    """The line has the name of the view and the first expression that is not compiled."""
    definitions = shop_files / "feature_repo/shop.py"
    definitions.write_text(
        definitions.read_text().replace('ratio=pl.col("basket")', 'ratio=pl.col("basket").cbrt()')
    )

    assert "Polars computes compared at each request: Cbrt of Float64" in run("check", cwd=shop_files).stdout
    assert featurestore.open(shop_files).uncompiled() == {"compared": "Cbrt of Float64"}


OWN_CHECKS = """
    @pa.check("basket")
    def is_near_a_cube(cls, data):
        return data.lazyframe.select(pl.col(data.key).cbrt() < 30)

    @pa.check("basket")
    def is_positive(cls, data):
        return data.lazyframe.select(pl.col(data.key) >= 0)

    @pa.check("basket")
    def is_doubled(cls, data):
        return data.lazyframe.with_columns(pl.col(data.key) * 2).select(pl.col(data.key) >= 0)
"""


def test_check_names_the_checks_of_requests_that_polars_decides(shop_files: Path) -> None:
    """The line has the schema, the rule and the reason; a check that is compiled is not named."""
    schemas = shop_files / "schemas/shop.py"
    line = 'description="worth of the basket", metadata={"unit": "EUR"})\n'
    schemas.write_text(schemas.read_text().replace(line, line + OWN_CHECKS))

    expected = {
        "Basket: basket.is_near_a_cube": "Cbrt of Float64",
        "Basket: basket.is_doubled": "it does more than select one expression",
    }
    assert featurestore.open(shop_files).uncompiled() == expected
    assert (
        "Polars computes Basket: basket.is_near_a_cube at each request: Cbrt of Float64"
        in run("check", cwd=shop_files).stdout
    )
