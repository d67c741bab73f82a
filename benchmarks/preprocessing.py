"""Fitted steps: 30 features of one row, and of many, beside Polars by hand, polars-ds and scikit-learn, in one run.

``make bench-preprocessing`` imputes, scales, clips, bins and encodes 28 columns of generated rows. All subjects compute the same
numbers. Times are the best of several rounds: microseconds for one row, seconds for many. Ratios are of processor time, which
other work on the machine changes less. scikit-learn copies the rows several times, so it gets the first million.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from featurestore import preprocessing
from featurestore.expressions.row_function import NotCompiled, row_function
from featurestore.preprocessing.fit import apply, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from featurestore.preprocessing.state import FittedStep

ROUNDS = 3
FITTED_ROWS = 20_000
SCIKIT_LEARN_ROWS = 1_000_000
SEED = 7
START = datetime(2024, 1, 1, tzinfo=UTC)
SCALED = [f"scaled_{i}" for i in range(12)]
CLIPPED = [f"clipped_{i}" for i in range(6)]
BINNED = [f"binned_{i}" for i in range(4)]
NAMED = [f"named_{i}" for i in range(4)]
TIMES = ["at", "since"]
STEPS = (
    preprocessing.impute("mean", columns=SCALED),
    preprocessing.scale("standard", columns=SCALED),
    preprocessing.scale("robust", columns=CLIPPED),
    preprocessing.clip(columns=CLIPPED, min=-2.0, max=2.0),
    preprocessing.discretize("quantile", columns=BINNED, bins=10),
    preprocessing.ordinal(NAMED),
    preprocessing.cycle("day", columns=TIMES),
)


def generated(rows: int) -> pl.DataFrame:
    """Generate rows: a tenth of the numbers to impute are missing."""
    random = np.random.default_rng(SEED)
    columns: dict[str, Any] = {}
    for name in (*SCALED, *CLIPPED, *BINNED):
        values = pl.Series(random.normal(10.0, 3.0, rows))
        missing = pl.Series(random.random(rows) < (0.1 if name in SCALED else 0.0))
        columns[name] = values.set(missing, None)
    for name in NAMED:
        columns[name] = pl.Series(random.integers(0, 20, rows)).cast(pl.String)
    for name in TIMES:
        seconds = pl.Series(random.integers(0, 10**7, rows)) * 1_000_000
        columns[name] = (seconds.cast(pl.Duration("us")) + START).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(columns)


def by_hand(rows: pl.LazyFrame, steps: Sequence[FittedStep]) -> pl.LazyFrame:
    """Compute the same as one query that a person would write, with the numbers of the fitted state."""
    filled, scaled, robust, _, binned, named, _ = (step.columns for step in steps)
    expressions = [
        ((pl.col(n).fill_null(filled[n].value) - scaled[n].center) * scaled[n].factor).alias(n)
        for n in SCALED
    ]
    expressions += [*_clipped_by_hand(robust), *_binned_by_hand(binned)]
    expressions += [
        pl.col(n).replace_strict(named[n].categories, named[n].numbers, default=-1.0, return_dtype=pl.Float64)
        for n in NAMED
    ]
    return rows.select(*expressions, *_angles_by_hand())


def _clipped_by_hand(robust: Mapping[str, Any]) -> list[pl.Expr]:
    return [((pl.col(n) - robust[n].center) * robust[n].factor).clip(-2.0, 2.0).alias(n) for n in CLIPPED]


def _binned_by_hand(binned: Mapping[str, Any]) -> list[pl.Expr]:
    return [
        pl.sum_horizontal((pl.col(n) >= edge).cast(pl.Float64) for edge in binned[n].edges[1:-1]).alias(n)
        for n in BINNED
    ]


def _angles_by_hand() -> list[pl.Expr]:
    expressions = []
    for n in TIMES:
        angle = (pl.col(n).cast(pl.Int64) % 86_400_000_000).cast(pl.Float64) * (2 * np.pi / 86_400_000_000)
        expressions += [angle.sin().alias(f"{n}_day_sin"), angle.cos().alias(f"{n}_day_cos")]
    return expressions


def polars_ds(training: pl.DataFrame, steps: Sequence[FittedStep]) -> Any:
    """Fit a blueprint of polars-ds; what it has no transform for is in it by hand."""
    from polars_ds.pipeline import Blueprint  # noqa: PLC0415 - it may be absent

    robust, binned = (steps[number].columns for number in (2, 4))
    blueprint = Blueprint(training, name="benchmark").impute(SCALED, method="mean")
    blueprint = blueprint.scale(SCALED, method="standard")
    blueprint = blueprint.with_columns(*_clipped_by_hand(robust), *_binned_by_hand(binned))
    blueprint = blueprint.ordinal_encode(NAMED, unknown_value=-1.0)
    return blueprint.with_columns(*_angles_by_hand()).drop(TIMES).materialize()


def scikit_learn() -> ColumnTransformer:
    """Make the same of scikit-learn's transformers."""
    return ColumnTransformer(
        [
            ("scaled", make_pipeline(SimpleImputer(), StandardScaler()), SCALED),
            ("clipped", make_pipeline(RobustScaler(), FunctionTransformer(_clipped)), CLIPPED),
            (
                "binned",
                KBinsDiscretizer(10, encode="ordinal", subsample=None, quantile_method="linear"),
                BINNED,
            ),
            ("named", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), NAMED),
            ("times", FunctionTransformer(_angles), TIMES),
        ]
    )


def _clipped(values: Any) -> Any:
    return np.clip(values, -2.0, 2.0)


def _angles(rows: Any) -> Any:
    ticks = (
        rows.to_physical().to_numpy()
        if isinstance(rows, pl.Series)
        else rows.select(pl.all().to_physical()).to_numpy()
    )
    angles = (ticks % 86_400_000_000) * (2 * np.pi / 86_400_000_000)
    return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(angles), -1)


def seconds(call: Callable[[], object], duration: float) -> tuple[float, float]:
    """Return wall time and processor time of a call, the best of several rounds."""
    best = cpu = float("inf")
    for _ in range(ROUNDS):
        calls, start, used = 0, time.perf_counter(), time.process_time()
        while (elapsed := time.perf_counter() - start) < duration or not calls:
            call()
            calls += 1
        best, cpu = min(best, elapsed / calls), min(cpu, (time.process_time() - used) / calls)
    return best, cpu


def require_equal(subject: str, actual: Any, expected: Any) -> None:
    """Stop if a subject computes something else."""
    if not np.allclose(
        np.asarray(actual, dtype=float), np.asarray(expected, dtype=float), rtol=1e-9, atol=1e-12
    ):
        raise SystemExit(f"{subject} computes other numbers")


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--small", action="store_true", help="one quick round, to see that it runs")
    options = parser.parse_args()
    training = generated(2_000 if options.small else FITTED_ROWS)
    steps = fit(STEPS, training, None, where="benchmark").steps
    function = row_function(lambda rows: apply(rows, steps), training.schema)
    if isinstance(function, NotCompiled):
        raise SystemExit(f"the steps are not compiled: {function.reason}")
    peer = scikit_learn().fit(training)
    row = training.head(1)
    values = row.row(0)
    expected = apply(row.lazy(), steps).collect()
    require_equal("compiled", function.compute(values), expected.row(0))
    require_equal("by hand", by_hand(row.lazy(), steps).collect().row(0), expected.row(0))
    require_equal("scikit-learn", peer.transform(row)[0], expected.row(0))
    blueprint = polars_ds(training, steps) if find_spec("polars_ds") else None
    if blueprint is None:
        print("skipped: polars-ds: it is not installed (make bench-preprocessing installs it)")
    else:
        require_equal("polars-ds", blueprint.transform(training), apply(training.lazy(), steps).collect())
    duration = 0.001 if options.small else 0.3
    print(f"{expected.width} features of one row")
    print(f"{'subject':<14}  us")
    for subject, call in (
        ("featurestore", lambda: function.compute(values)),
        (
            "by hand",
            lambda: by_hand(pl.LazyFrame([values], training.schema, orient="row"), steps).collect().row(0),
        ),
        *([("polars-ds", lambda: blueprint.transform(row).row(0))] if blueprint else []),
        ("scikit-learn", lambda: peer.transform(row)),
    ):
        print(f"{subject:<14}  {seconds(call, duration)[0] * 1e6:,.1f}")
    many = generated(20_000 if options.small else options.rows)
    subjects = {
        "by hand": lambda: by_hand(many.lazy(), steps).collect(),
        "featurestore": lambda: apply(many.lazy(), steps).collect(),
    }
    if blueprint:
        subjects["polars-ds"] = lambda: blueprint.transform(many)
    print_table(many.height, subjects)
    few = many.head(SCIKIT_LEARN_ROWS)
    print_table(
        few.height,
        {
            "by hand": lambda: by_hand(few.lazy(), steps).collect(),
            "scikit-learn": lambda: peer.transform(few),
        },
    )


def print_table(rows: int, subjects: Mapping[str, Callable[[], object]]) -> None:
    """Print the times of subjects; the first is what the others are compared with."""
    times = {subject: seconds(call, 0) for subject, call in subjects.items()}
    first = next(iter(times.values()))[1]
    print(f"{rows:,} rows")
    print(f"{'subject':<14}  seconds  CPU s  x CPU")
    for subject, (wall, cpu) in times.items():
        print(f"{subject:<14}  {wall:,.3f}  {cpu:,.3f}  {cpu / first:,.2f}")


if __name__ == "__main__":
    main()
