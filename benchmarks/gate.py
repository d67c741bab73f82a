"""The gate, side by side: featurestore, a hand-fused Polars query, Pandera, dataframely, pointblank and DuckDB's SQL.

``make bench-gate`` writes the same files for all, runs each subject in a process of its own, from the file to the verdict
and the bad rows with their reasons in memory, compares how many rows they found, and prints seconds, peak memory and ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path("data/bench/gate")
ROWS = 5_000_000
FLOATS, INTEGERS, WIDE = 6, 3, 300
IN_MEMORY = 512 << 20  # as `featurestore validate` does: larger files are streamed
PEERS = ("by hand", "featurestore", "dataframely", "duckdb", "pandera", "pandera on a scan", "pointblank")
# name of the data: (rows, columns wide, one row in so many is bad, checks uniqueness)
CASES = {
    "clean": (ROWS, 0, 0, False),
    "0.1 % bad": (ROWS, 0, 1000, False),
    "10 % bad": (ROWS, 0, 10, False),
    "100 % bad": (ROWS, 0, 1, False),
    "300 columns, 1 % bad": (100_000, WIDE, 100, False),
    "unique key, clean": (ROWS, 0, 0, True),
    "unique key, 0.1 % twice": (ROWS, 0, 1000, True),
}


def path_of(case: str) -> Path:
    """Say where the rows of a case lie."""
    return FOLDER / f"{case.replace(' ', '_').replace('%', 'percent').replace(',', '')}.parquet"


def columns_of(wide: int) -> tuple[list[str], list[str]]:
    """Name the columns of floats and of integers."""
    floats = wide // 2 or FLOATS
    return [f"f{i}" for i in range(floats)], [f"i{i}" for i in range(wide - floats if wide else INTEGERS)]


def write(case: str) -> None:
    """Write the rows of a case: floats within ±10, integers from 0 to 999, words like k12, an id."""
    rows, wide, one_in, unique = CASES[case]
    floats, integers = columns_of(wide)
    noise = pl.select(h=pl.int_range(rows, dtype=pl.UInt64).hash(5))
    number = pl.int_range(pl.len())
    frame = noise.select(
        *((pl.col("h").hash(i) % 2_000_001 / 100_000 - 10).alias(name) for i, name in enumerate(floats)),
        *((pl.col("h").hash(50 + i) % 1000).cast(pl.Int64).alias(name) for i, name in enumerate(integers)),
        s=pl.format("k{}", pl.col("h") % 5000),
        id=number,
    )
    if one_in:
        hit = number % one_in == 0
        bad = (
            {"id": pl.when(hit).then(number - number % (2 * one_in)).otherwise("id")}
            if unique
            else {
                "i0": pl.when(hit).then(-5).otherwise("i0"),
                "f0": pl.when(hit & (number % (2 * one_in) == 0)).then(99.0).otherwise("f0"),
                "s": pl.when(hit).then(pl.lit("?")).otherwise("s"),
            }
        )
        frame = frame.with_columns(**bad)
    path = path_of(case)
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path, row_group_size=128 * 1024)


def model(case: str) -> Any:
    """Write the contract as a Pandera model."""
    import pandera.polars as pa  # noqa: PLC0415 - each subject imports its own

    _, wide, _, unique = CASES[case]
    floats, integers = columns_of(wide)
    fields: dict[str, Any] = {name: pa.Field(ge=-10, le=10) for name in floats}
    fields |= {name: pa.Field(ge=0, lt=1000) for name in integers}
    fields |= {"s": pa.Field(str_matches="^k[0-9]+$"), "id": pa.Field(unique=unique)}
    dtypes = (
        dict.fromkeys(floats, pl.Float64)
        | dict.fromkeys(integers, pl.Int64)
        | {"s": pl.String, "id": pl.Int64}
    )
    config = type("Config", (), {"metadata": {"on_invalid": "quarantine", "tolerance": 1.0}})
    members = {"__annotations__": dtypes, "__module__": __name__, "Config": config, **fields}
    return type("Rows", (pa.DataFrameModel,), members)


def rules(case: str) -> dict[str, pl.Expr]:
    """Say what breaks the contract, as one would by hand."""
    _, wide, _, unique = CASES[case]
    floats, integers = columns_of(wide)
    found: dict[str, pl.Expr] = {}
    for name in (*floats, *integers, "s", "id"):
        found[f"{name}.not_null"] = pl.col(name).is_null()
    for name in floats:
        found[f"{name}.finite"] = ~pl.col(name).is_finite()
        found[f"{name}.least"] = pl.col(name) < -10  # noqa: PLR2004
        found[f"{name}.most"] = pl.col(name) > 10  # noqa: PLR2004
    for name in integers:
        found[f"{name}.least"] = pl.col(name) < 0
        found[f"{name}.most"] = pl.col(name) >= 1000  # noqa: PLR2004
    found["s.pattern"] = ~pl.col("s").str.contains("^k[0-9]+$")
    if unique:
        found["id.unique"] = pl.col("id").is_duplicated()
    return {name: broken.fill_null(value=False) for name, broken in found.items()}


def by_hand(case: str) -> Callable[[], int]:
    """Fuse all rules into one query; look for the rows only if there are any."""
    broken = rules(case)

    def run() -> int:
        scan = pl.scan_parquet(path_of(case))
        counts = scan.select(rule.sum().alias(name) for name, rule in broken.items()).collect(
            engine="streaming"
        )
        if not any(counts.row(0)):
            return 0
        names = [pl.when(rule).then(pl.lit(name)) for name, rule in broken.items() if counts[name].item()]
        bad = scan.with_row_index("row").filter(
            pl.any_horizontal(*(r for n, r in broken.items() if counts[n].item()))
        )
        return (
            bad.with_columns(pl.concat_list(names).list.drop_nulls().alias("why"))
            .collect(engine="streaming")
            .height
        )

    return run


def featurestore_gate(case: str) -> Callable[[], int]:
    """Let the file through the gate."""
    from featurestore.definitions.contract import contract_of  # noqa: PLC0415
    from featurestore.quality.gate.inspection import inspect  # noqa: PLC0415

    contract = contract_of(model(case))

    def run() -> int:
        path = path_of(case)
        read = pl.read_parquet if path.stat().st_size < IN_MEMORY else pl.scan_parquet
        inspection = inspect(read(path), contract, dataset="rows")
        height = inspection.quarantined.height
        assert inspection.verdict.rows_quarantined == height  # noqa: S101
        return height

    return run


def pandera_eager(case: str) -> Callable[[], int]:
    """Validate the frame, all errors at once."""
    import pandera.polars as pa  # noqa: PLC0415

    schema = model(case)

    def run() -> int:
        frame = pl.read_parquet(path_of(case))
        try:
            schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as errors:
            why = errors.failure_cases.group_by("index").agg(why="check")
            numbered = frame.with_row_index("index").cast({"index": why.schema["index"]})
            return numbered.join(why, on="index").height
        return 0

    return run


def pandera_scan(case: str) -> Callable[[], int]:
    """Validate the scan: only its schema is looked at."""
    schema = model(case)

    def run() -> int:
        schema.validate(pl.scan_parquet(path_of(case)), lazy=True).collect(engine="streaming")
        return 0

    return run


def dataframely(case: str) -> Callable[[], int]:
    """Filter by a dataframely schema; count its failures."""
    import dataframely as dy  # noqa: PLC0415

    _, wide, _, unique = CASES[case]
    floats, integers = columns_of(wide)
    fields: dict[str, Any] = {
        name: dy.Float64(nullable=False, min=-10, max=10, allow_inf=False, allow_nan=False) for name in floats
    }
    fields |= {name: dy.Int64(nullable=False, min=0, max_exclusive=1000) for name in integers}
    fields |= {
        "s": dy.String(nullable=False, regex="^k[0-9]+$"),
        "id": dy.Int64(nullable=False, primary_key=unique),
    }
    schema = type("Rows", (dy.Schema,), fields)

    def run() -> int:
        _, failures = schema.filter(pl.read_parquet(path_of(case)))
        failures.counts()
        return failures.details().height

    return run


def duckdb(case: str) -> Callable[[], int]:
    """Count every rule in one statement, and select the bad rows with their reasons in another."""
    import duckdb as db  # noqa: PLC0415

    _, wide, _, unique = CASES[case]
    floats, integers = columns_of(wide)
    found = {f"{n}.not_null": f"{n} IS NULL" for n in (*floats, *integers, "s", "id")}
    for n in floats:
        found |= {f"{n}.finite": f"NOT isfinite({n})", f"{n}.least": f"{n} < -10", f"{n}.most": f"{n} > 10"}
    for n in integers:
        found |= {f"{n}.least": f"{n} < 0", f"{n}.most": f"{n} >= 1000"}
    found["s.pattern"] = "NOT regexp_matches(s, '^k[0-9]+$')"
    source = f"read_parquet('{path_of(case)}', file_row_number = true)"
    if unique:
        found["id.unique"] = "id IN (SELECT id FROM twice)"
    prefix = f"WITH twice AS (SELECT id FROM {source} GROUP BY id HAVING count(*) > 1) " if unique else ""

    def run() -> int:
        connection = db.connect()
        sums = ", ".join(f"count(*) FILTER ({rule})" for rule in found.values())
        counts = connection.execute(f"{prefix} SELECT {sums} FROM {source}").fetchone()
        broken = {name: rule for (name, rule), count in zip(found.items(), counts, strict=True) if count}
        if not broken:
            return 0
        why = ", ".join(f"CASE WHEN {rule} THEN '{name}' END" for name, rule in broken.items())
        where = " OR ".join(f"({rule})" for rule in broken.values())
        query = f"{prefix} SELECT *, list_filter([{why}], lambda x: x IS NOT NULL) AS why FROM {source} WHERE {where}"
        return connection.execute(query).to_arrow_table().num_rows

    return run


def pointblank(case: str) -> Callable[[], int]:
    """Interrogate the frame; the extracts hold the bad rows of each step."""
    import pointblank as pb  # noqa: PLC0415

    _, wide, _, unique = CASES[case]
    floats, integers = columns_of(wide)

    def run() -> int:
        frame = pl.read_parquet(path_of(case))
        plan = pb.Validate(frame)
        plan = plan.col_vals_not_null([*floats, *integers, "s", "id"])
        plan = plan.col_vals_between(floats, -10, 10).col_vals_between(integers, 0, 999)
        plan = plan.col_vals_regex("s", "^k[0-9]+$")
        if unique:
            plan = plan.rows_distinct("id")
        done = plan.interrogate(get_first_n=None, extract_limit=10 * ROWS)
        extracts = [
            e.select(index="_row_num_", step=pl.lit(step))
            for step, e in done.get_data_extracts().items()
            if e is not None and len(e)
        ]
        if not extracts:
            return 0
        why = pl.concat(extracts).group_by("index").agg(why="step")
        numbered = frame.with_row_index("index", offset=1).cast({"index": why.schema["index"]})
        return numbered.join(why, on="index").height

    return run


SUBJECTS: dict[str, Callable[[str], Callable[[], int]]] = {
    "by hand": by_hand,
    "featurestore": featurestore_gate,
    "dataframely": dataframely,
    "duckdb": duckdb,
    "pandera": pandera_eager,
    "pandera on a scan": pandera_scan,
    "pointblank": pointblank,
}


def measure(subject: str, case: str, repeats: int) -> dict[str, Any]:
    """Run a subject: once to warm up, then so many times, or once more if it takes long."""
    warnings.simplefilter("ignore")
    run = SUBJECTS[subject](case)
    seconds: list[float] = []
    cpu: list[float] = []
    while len(seconds) < repeats + 1:
        start, spent = time.perf_counter(), time.process_time()
        found = run()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - spent)
        if seconds[-1] > 5:  # noqa: PLR2004
            break
    # Not getrusage: what it tells begins with what the parent held.
    peak = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return {
        "seconds": min(seconds[1:] or seconds),
        "cpu": min(cpu[1:] or cpu),
        "found": found,
        "mb": int(peak.split()[1]) / 1024,
    }


def one_row() -> None:
    """Check one row of 300 columns, as at serving: ours and Pandera's."""
    from featurestore.definitions.contract import contract_of  # noqa: PLC0415
    from featurestore.quality.gate.row_gate import RowGate  # noqa: PLC0415

    schema = model("300 columns, 1 % bad")
    frame = pl.read_parquet(path_of("300 columns, 1 % bad")).slice(1, 1)
    gate, row = RowGate(contract_of(schema)), frame.select(list(schema.to_schema().columns)).row(0)
    for name, call, times in (
        ("featurestore", lambda: gate.admit([row]), 2_000),
        ("pandera", lambda: schema.validate(frame, lazy=True), 3),
    ):
        call()
        start = time.perf_counter()
        for _ in range(times):
            call()
        print(
            f"one row of {len(frame.columns)} columns, {name}: {1000 * (time.perf_counter() - start) / times:.3f} ms"
        )


def large(rows: int) -> None:
    """Let a hundred million rows through the gate; a key is unique, one row in a thousand is bad."""
    case = "large"
    CASES[case] = (rows, 0, 1000, True)
    if not path_of(case).exists():
        CASES["part"] = (min(rows, 10_000_000), 0, 1000, False)
        write("part")
        parts = [
            pl.scan_parquet(path_of("part")).with_columns(pl.col("id") + n * 10_000_000)
            for n in range(rows // 10_000_000)
        ]
        pl.concat(parts).sink_parquet(path_of(case), row_group_size=128 * 1024)
    told = json.loads(spawn("featurestore", case, "--repeats", "0", "--rows", str(rows)))
    print(
        f"{rows:,} rows, unique key, 0.1 % bad: {told['seconds']:.1f} s, {told['mb']:,.0f} MB, {told['found']:,} bad rows"
    )


def spawn(subject: str, case: str, *options: str) -> str:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--subject", subject, "--case", case, *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]


def main() -> None:
    """Measure one subject, or all of them beside each other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--subject")
    parser.add_argument("--case")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=100_000_000)
    told = parser.parse_args()
    if told.subject:
        CASES.setdefault("large", (told.rows, 0, 1000, True))
        print(json.dumps(measure(told.subject, told.case, told.repeats)))
        return
    for case in [told.case] if told.case else CASES:
        write(case)
        print(f"\n{case}: {CASES[case][0]:,} rows")
        measured: dict[str, list[dict[str, Any]]] = {peer: [] for peer in PEERS}
        for _ in range(told.rounds):
            for peer in PEERS:
                if not measured[peer] or measured[peer][0]["seconds"] < 5:  # noqa: PLR2004
                    measured[peer].append(json.loads(spawn(peer, case, "--repeats", str(told.repeats))))
        hand = statistics.median(m["seconds"] for m in measured["by hand"])
        found = measured["by hand"][0]["found"]
        for peer in PEERS:
            seconds = statistics.median(m["seconds"] for m in measured[peer])
            cpu = statistics.median(m["cpu"] for m in measured[peer])
            mb = max(m["mb"] for m in measured[peer])
            wrong = (
                ""
                if measured[peer][0]["found"] == found
                else f"  WRONG: {measured[peer][0]['found']:,} bad rows, not {found:,}"
            )
            print(
                f"  {peer:18} {seconds:8.3f} s {seconds / hand:7.2f} x by hand {cpu:8.2f} s of CPU {mb:7,.0f} MB{wrong}"
            )
    if not told.case:
        one_row()
        large(told.rows)


if __name__ == "__main__":
    main()
