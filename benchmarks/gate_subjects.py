"""The subjects of `gate.py`: its files, its contract, and how each finds the rows that break it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FLOATS = 6
INTEGERS = 3
FLOAT_LIMIT = 10
INTEGER_LIMIT = 1000
IN_MEMORY = 512 << 20  # bytes, as `featurestore validate` decides: larger files are streamed
ROWS_PER_GROUP = 128 * 1024


@dataclass(frozen=True)
class Case:
    """The data of one table.

    Attributes
    ----------
    path
        The Parquet file.
    width
        Number of numeric columns; 0: six floats and three integers.
    one_in
        The distance between bad rows; 0: no row is bad.
    unique
        Whether the contract says that ``id`` is unique; then bad rows repeat an id.
    """

    path: Path
    rows: int
    width: int
    one_in: int
    unique: bool

    @property
    def floats(self) -> list[str]:
        """Names of the float columns."""
        return [f"f{i}" for i in range(self.width // 2 or FLOATS)]

    @property
    def integers(self) -> list[str]:
        """Names of the integer columns."""
        return [f"i{i}" for i in range(self.width - len(self.floats) if self.width else INTEGERS)]

    @property
    def columns(self) -> list[str]:
        """Names of all columns."""
        return [*self.floats, *self.integers, "s", "id"]


def write(case: Case) -> None:
    """Write the rows of a case: floats within ±10, integers below 1,000, words like k12, an id."""
    noise = pl.select(h=pl.int_range(case.rows, dtype=pl.UInt64).hash(5))
    number = pl.int_range(pl.len())
    frame = noise.select(
        *((pl.col("h").hash(i) % 2_000_001 / 100_000 - 10).alias(name) for i, name in enumerate(case.floats)),
        *(
            (pl.col("h").hash(50 + i) % INTEGER_LIMIT).cast(pl.Int64).alias(name)
            for i, name in enumerate(case.integers)
        ),
        s=pl.format("k{}", pl.col("h") % 5000),
        id=number,
    )
    if case.one_in:
        is_bad = number % case.one_in == 0
        pair = 2 * case.one_in
        bad = (
            {"id": pl.when(is_bad).then(number - number % pair).otherwise("id")}
            if case.unique
            else {
                "i0": pl.when(is_bad).then(-5).otherwise("i0"),
                "f0": pl.when(is_bad & (number % pair == 0)).then(99.0).otherwise("f0"),
                "s": pl.when(is_bad).then(pl.lit("?")).otherwise("s"),
            }
        )
        frame = frame.with_columns(**bad)
    case.path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(case.path, row_group_size=ROWS_PER_GROUP)


def model(case: Case) -> Any:
    """Write the contract as a Pandera model."""
    import pandera.polars as pa  # noqa: PLC0415 - each subject imports its own

    fields: dict[str, Any] = {name: pa.Field(ge=-FLOAT_LIMIT, le=FLOAT_LIMIT) for name in case.floats}
    fields |= {name: pa.Field(ge=0, lt=INTEGER_LIMIT) for name in case.integers}
    fields |= {"s": pa.Field(str_matches="^k[0-9]+$"), "id": pa.Field(unique=case.unique)}
    dtypes = (
        dict.fromkeys(case.floats, pl.Float64)
        | dict.fromkeys(case.integers, pl.Int64)
        | {"s": pl.String, "id": pl.Int64}
    )
    config = type("Config", (), {"metadata": {"on_invalid": "quarantine", "tolerance": 1.0}})
    members = {"__annotations__": dtypes, "__module__": __name__, "Config": config, **fields}
    return type("Rows", (pa.DataFrameModel,), members)


def polars_rules(case: Case) -> dict[str, pl.Expr]:
    """Write the rules by hand; each expression is true where a row breaks the rule."""
    broken: dict[str, pl.Expr] = {f"{name}.not_null": pl.col(name).is_null() for name in case.columns}
    for name in case.floats:
        broken[f"{name}.finite"] = ~pl.col(name).is_finite()
        broken[f"{name}.min"] = pl.col(name) < -FLOAT_LIMIT
        broken[f"{name}.max"] = pl.col(name) > FLOAT_LIMIT
    for name in case.integers:
        broken[f"{name}.min"] = pl.col(name) < 0
        broken[f"{name}.max"] = pl.col(name) >= INTEGER_LIMIT
    broken["s.pattern"] = ~pl.col("s").str.contains("^k[0-9]+$")
    if case.unique:
        broken["id.unique"] = pl.col("id").is_duplicated()
    return {name: rule.fill_null(value=False) for name, rule in broken.items()}


def by_hand(case: Case) -> Callable[[], int]:
    """Fuse all rules into one query; select the bad rows only if there are any."""
    broken = polars_rules(case)

    def run() -> int:
        scan = pl.scan_parquet(case.path)
        sums = [rule.sum().alias(name) for name, rule in broken.items()]
        counts = scan.select(sums).collect(engine="streaming")
        rules = {name: rule for name, rule in broken.items() if counts[name].item()}
        if not rules:
            return 0
        names = [pl.when(rule).then(pl.lit(name)) for name, rule in rules.items()]
        bad = scan.with_row_index("row").filter(pl.any_horizontal(*rules.values()))
        reasons = pl.concat_list(names).list.drop_nulls().alias("broken_rules")
        return bad.with_columns(reasons).collect(engine="streaming").height

    return run


def featurestore(case: Case) -> Callable[[], int]:
    """Let the file through the gate."""
    from featurestore.definitions.contract import contract_of  # noqa: PLC0415
    from featurestore.quality.gate.inspection import inspect  # noqa: PLC0415

    contract = contract_of(model(case))

    def run() -> int:
        read = pl.read_parquet if case.path.stat().st_size < IN_MEMORY else pl.scan_parquet
        inspection = inspect(read(case.path), contract, dataset="rows")
        height = inspection.quarantined.height
        assert inspection.verdict.rows_quarantined == height  # noqa: S101 - the count is checked, too
        return height

    return run


def pandera_eager(case: Case) -> Callable[[], int]:
    """Validate the frame, all errors at once."""
    import pandera.polars as pa  # noqa: PLC0415

    schema = model(case)

    def run() -> int:
        frame = pl.read_parquet(case.path)
        try:
            schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as errors:
            reasons = errors.failure_cases.group_by("index").agg(broken_rules="check")
            numbered = frame.with_row_index("index").cast({"index": reasons.schema["index"]})
            return numbered.join(reasons, on="index").height
        return 0

    return run


def pandera_scan(case: Case) -> Callable[[], int]:
    """Validate the scan: Pandera then checks only its schema."""
    schema = model(case)

    def run() -> int:
        schema.validate(pl.scan_parquet(case.path), lazy=True).collect(engine="streaming")
        return 0

    return run


def dataframely(case: Case) -> Callable[[], int]:
    """Filter by a dataframely schema; count its failures."""
    import dataframely as dy  # noqa: PLC0415

    fields: dict[str, Any] = {
        name: dy.Float64(nullable=False, min=-FLOAT_LIMIT, max=FLOAT_LIMIT, allow_inf=False, allow_nan=False)
        for name in case.floats
    }
    fields |= {name: dy.Int64(nullable=False, min=0, max_exclusive=INTEGER_LIMIT) for name in case.integers}
    fields |= {
        "s": dy.String(nullable=False, regex="^k[0-9]+$"),
        "id": dy.Int64(nullable=False, primary_key=case.unique),
    }
    schema = type("Rows", (dy.Schema,), fields)

    def run() -> int:
        _, failures = schema.filter(pl.read_parquet(case.path))
        failures.counts()
        return failures.details().height

    return run


def duckdb(case: Case) -> Callable[[], int]:
    """Count every rule in one statement; select the bad rows with their reasons in another."""
    import duckdb as db  # noqa: PLC0415

    rules = {f"{name}.not_null": f"{name} IS NULL" for name in case.columns}
    for name in case.floats:
        rules[f"{name}.finite"] = f"NOT isfinite({name})"
        rules[f"{name}.min"] = f"{name} < -{FLOAT_LIMIT}"
        rules[f"{name}.max"] = f"{name} > {FLOAT_LIMIT}"
    for name in case.integers:
        rules[f"{name}.min"] = f"{name} < 0"
        rules[f"{name}.max"] = f"{name} >= {INTEGER_LIMIT}"
    rules["s.pattern"] = "NOT regexp_matches(s, '^k[0-9]+$')"
    source = f"read_parquet('{case.path}', file_row_number = true)"
    prefix = ""
    if case.unique:
        rules["id.unique"] = "id IN (SELECT id FROM repeated)"
        prefix = f"WITH repeated AS (SELECT id FROM {source} GROUP BY id HAVING count(*) > 1) "

    def run() -> int:
        connection = db.connect()
        sums = ", ".join(f"count(*) FILTER ({rule})" for rule in rules.values())
        counts = connection.execute(f"{prefix} SELECT {sums} FROM {source}").fetchone()
        broken = {name: rule for (name, rule), count in zip(rules.items(), counts, strict=True) if count}
        if not broken:
            return 0
        names = ", ".join(f"CASE WHEN {rule} THEN '{name}' END" for name, rule in broken.items())
        reasons = f"list_filter([{names}], lambda x: x IS NOT NULL) AS broken_rules"
        where = " OR ".join(f"({rule})" for rule in broken.values())
        query = f"{prefix} SELECT *, {reasons} FROM {source} WHERE {where}"
        return connection.execute(query).to_arrow_table().num_rows

    return run


def pointblank(case: Case) -> Callable[[], int]:
    """Interrogate the frame; the extracts hold the bad rows of each step."""
    import pointblank as pb  # noqa: PLC0415

    def run() -> int:
        frame = pl.read_parquet(case.path)
        plan = pb.Validate(frame).col_vals_not_null(case.columns)
        plan = plan.col_vals_between(case.floats, -FLOAT_LIMIT, FLOAT_LIMIT)
        plan = plan.col_vals_between(case.integers, 0, INTEGER_LIMIT - 1).col_vals_regex("s", "^k[0-9]+$")
        if case.unique:
            plan = plan.rows_distinct("id")
        report = plan.interrogate(get_first_n=None, extract_limit=10 * case.rows)
        extracts = [
            extract.select(index="_row_num_", step=pl.lit(step))
            for step, extract in report.get_data_extracts().items()
            if extract is not None and len(extract)
        ]
        if not extracts:
            return 0
        reasons = pl.concat(extracts).group_by("index").agg(broken_rules="step")
        numbered = frame.with_row_index("index", offset=1).cast({"index": reasons.schema["index"]})
        return numbered.join(reasons, on="index").height

    return run


SUBJECTS: dict[str, Callable[[Case], Callable[[], int]]] = {
    "by hand": by_hand,
    "featurestore": featurestore,
    "dataframely": dataframely,
    "duckdb": duckdb,
    "pandera": pandera_eager,
    "pandera on a scan": pandera_scan,
    "pointblank": pointblank,
}
MODULES = {
    "dataframely": ("dataframely",),
    "duckdb": ("duckdb",),
    "pointblank": ("pointblank",),
}
