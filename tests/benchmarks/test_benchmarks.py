"""Every benchmark runs: on tiny data, in its own process, as `make` starts it."""

import json
import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import forks
import pytest
from servers import program

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def run_small(tmp_path):
    """Run a benchmark with `--small`; return what it prints."""

    def run(name, *, forked=False):
        # `forked`: the processes of the benchmark are forks, too. They have no other files open than the standard streams.
        children = {forks.CHILDREN: forks.python()} if forked else {}
        finished = subprocess.run(
            [forks.python(), BENCHMARKS / f"{name}.py", "--small"],
            cwd=tmp_path,
            env=os.environ | {"HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis")} | children,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, f"{finished.stdout}\n{finished.stderr}"
        assert list(tmp_path.iterdir()) == [], "a small run leaves files behind"
        return finished.stdout

    return run


def rows_below(printed, header):
    """Return the lines of the table below a header, each as the name of the row and its numbers."""
    lines = printed.splitlines()
    [position] = [i for i, line in enumerate(lines) if line.split() == header.split()]
    table = {}
    for line in lines[position + 1 :]:
        match = re.match(r" *(\S.*?)  +([\d,.][\d,. ]*)(?:  (?:agrees|WRONG).*)?$", line)
        if match is None:
            break
        table[match[1]] = match[2].split()
    return table


def skipped(printed):
    """Return the peers that a benchmark says it left out."""
    return set(re.findall(r"^skipped: (.+?): ", printed, re.MULTILINE))


def installed(peers, printed):
    """Return the peers whose module is installed; check that a benchmark names the others."""
    missing = {peer for peer, module in peers.items() if module and find_spec(module) is None}
    assert missing <= skipped(printed)
    return set(peers) - missing


def test_gate(run_small):
    """Each subject counts the same bad rows; the row gate and the large file are measured, too."""
    printed = run_small("gate", forked=True)
    table = rows_below(printed, "seconds x by hand CPU s peak MB bad rows")
    peers = {
        "by hand": None,
        "featurestore": None,
        "duckdb": "duckdb",
        "dataframely": "dataframely",
        "pandera": None,
        "pandera on a scan": None,
        "pointblank": "pointblank",
    }
    assert set(table) == installed(peers, printed)
    assert table["featurestore"][-1] == table["by hand"][-1] == "200"
    assert set(rows_below(printed, "ms")) == {"featurestore", "pandera"}
    assert re.search(r"^2,000 rows, unique key, 0.1 % bad: .* 2 bad rows$", printed, re.MULTILINE)


def test_leaks(run_small):
    """All planted leaks are found, and no clean view raises an alarm."""
    printed = run_small("leaks")
    table = rows_below(printed, "found alarms ms/view errors")
    peers = {"check-leaks": None, "leakprobe": "leakprobe", "timefence": "timefence"}
    assert set(table) == installed(peers, printed)
    assert (table["check-leaks"][0], table["check-leaks"][1], table["check-leaks"][3]) == ("2", "0", "0")


def test_audit_set(run_small):
    """In the quickstart of timefence, `audit-set` finds at least what timefence finds; its data come with the package."""
    printed = run_small("audit_set")
    if find_spec("timefence") is None:
        pytest.skip(printed.strip())
    table = rows_below(printed, "feature timefence audit-set leaks stale or future stale other")
    counts = {name: [int(text) for text in row[:2]] for name, row in table.items()}
    assert len(counts) == 4
    assert all(ours >= theirs for theirs, ours in counts.values())


def test_preprocessing(run_small):
    """The steps, Polars by hand, polars-ds and scikit-learn compute the same numbers, of one row and of many."""
    printed = run_small("preprocessing")
    peers = {"featurestore": None, "by hand": None, "scikit-learn": None, "polars-ds": "polars_ds"}
    assert "30 features of one row\n" in printed
    assert set(rows_below(printed, "subject us")) == installed(peers, printed)
    first, second = printed.split("subject         seconds  CPU s  x CPU\n")[1:]
    assert re.findall(r"^(\S.*?)  ", first, re.MULTILINE)[:2] == ["by hand", "featurestore"]
    assert re.findall(r"^(\S.*?)  ", second, re.MULTILINE) == ["by hand", "scikit-learn"]


def test_splits(run_small):
    """Each way to split puts a fifth of the rows into test, as scikit-learn's splitter does."""
    table = rows_below(run_small("splits"), "subject seconds CPU s")
    ways = ("random", "by group", "by time")
    assert set(table) == {f"{way}, {peer}" for way in ways for peer in ("featurestore", "scikit-learn")}


def test_profile_rows(run_small):
    """The profile and its peer are measured on one file; the source has the rows of Polars' glob."""
    printed = run_small("profile_rows", forked=True)
    table = rows_below(printed, "seconds CPU s peak MB rows")
    peers = {
        "profile": None,
        "DuckDB SUMMARIZE": "duckdb",
        "source of many files": None,
        "Polars' glob": None,
    }
    assert set(table) == installed(peers, printed)
    assert table["profile"][-1] == "2,000"
    assert table["source of many files"][-1] == table["Polars' glob"][-1] == "1,000"


def test_build(run_small):
    """A source is validated and a view is built of it; by hand, the same rows are sorted and written."""
    table = rows_below(run_small("build", forked=True), "seconds CPU s peak MB")
    assert list(table) == ["featurestore, validate", "featurestore, build", "polars-by-hand, build"]


def test_offline(run_small):
    """Each subject joins the same rows; Feast's rows without any feature are the only ones lost."""
    printed = run_small("offline", forked=True)
    table = rows_below(printed, "seconds CPU s peak MB x ours")
    peers = {
        "featurestore": None,
        "featurestore-late": None,
        "polars-by-hand": None,
        "duckdb-by-hand": "duckdb",
        "feast-duckdb": "ibis",
        "feast-dask": "dask",
    }
    assert set(table) == installed(peers, printed)
    assert "featurestore-ray" in skipped(printed)
    assert all(len(numbers) == 4 for numbers in table.values())
    assert re.search(r"^polars-by-hand .* agrees$", printed, re.MULTILINE)


def test_join(run_small):
    """The command joins all entity rows of a file to a file, as Parquet and as CSV."""
    table = rows_below(
        run_small("join", forked=True), "format entity rows seconds CPU s peak MB MB in MB out"
    )
    assert {name: numbers[0] for name, numbers in table.items()} == {"parquet": "2,000", "csv": "2,000"}


def test_windows(run_small):
    """Our windows are right in every bit; each peer is measured, with the share of its cells that are wrong."""
    printed = run_small("windows", forked=True)
    table = rows_below(printed, "seconds CPU s us a cell x ours peak MB wrong %")
    peers = {
        "featurestore": None,
        "duckdb range join": "duckdb",
        "polars naive join": None,
        "Feast's tiles": None,
    }
    assert set(table) == installed(peers, printed)
    assert table["featurestore"][-1] == "0.00"
    assert float(table["Feast's tiles"][-1]) > 0


def test_rolling(run_small):
    """A count by `rolling` is wrong or missing in most rows, a count by windows in none."""
    table = rows_below(run_small("rolling"), "rows missing wrong % above 0 where none")
    assert list(table) == [
        f"{feature} by {method}"
        for feature in ("departures_1h", "carrier_departures_7d")
        for method in ("rolling", "windows")
    ]
    assert table["departures_1h by windows"] == ["3,000", "0", "0.0", "0"]
    assert table["carrier_departures_7d by windows"] == ["3,000", "0", "0.0", "0"]
    assert float(table["departures_1h by rolling"][2]) > 50


def test_online(run_small):
    """Materialization and lookups of each size are measured on both sides, and the values agree."""
    printed = run_small("online")
    table = rows_below(printed, "ours, ms Feast, ms ratio")
    assert list(table) == ["materialize", "lookup 1", "lookup 10", "lookup 100"]
    assert all(len(numbers) == 3 for numbers in table.values())
    assert "the values agree" in printed


def test_serving(run_small):
    """Each server answers requests of each size, and the values agree."""
    printed = run_small("serving", forked=True)
    header = ["rows", "answers/s", "p50,", "ms", "p99,", "ms", "CPU,", "us"]
    assert [line for line in printed.splitlines() if line.split() == header]
    lines = re.findall(r"^(.+?) +(1|10|100) +[\d,]+ +[\d.]+ +[\d.]+ +[\d,]+$", printed, re.MULTILINE)
    servers = {
        "empty endpoint",
        "ours, LMDB, /v1/vectors",
        "ours, LMDB, 5 on-demand features",
        "ours, LMDB, Feast's wire",
        "ours, Redis, /v1/vectors",
        "ours, PostgreSQL, /v1/vectors",
        "Feast's server, SQLite",
    }
    measured = servers - skipped(printed)
    assert sorted(lines) == sorted((server, size) for server in measured for size in ("1", "10", "100"))
    assert "the values agree" in printed


def test_server_stores(run_small):
    """Each store answers one request at a time and 8 at a time."""
    printed = run_small("server_stores", forked=True)
    lines = re.findall(r"^(Redis|PostgreSQL) +(1|8) +[\d,]+ +[\d,]+$", printed, re.MULTILINE)
    measured = {"Redis", "PostgreSQL"} - skipped(printed)
    assert sorted(lines) == sorted((store, count) for store in measured for count in ("1", "8"))


def test_reliability(run_small):
    """A round of faults gives answers and refusals, and none of the answers is wrong."""
    program("redis-server")
    [line] = run_small("reliability", forked=True).splitlines()
    observed = json.loads(line)
    assert list(observed) == [
        "store",
        "seconds",
        "rounds of faults",
        "answers",
        "refusals",
        "stale",
        "WRONG",
        "p50 ms",
        "p99 ms",
        "longest outage, s",
    ]
    assert observed["rounds of faults"] == 1
    assert observed["answers"]["200"] > 0
    assert observed["WRONG"] == 0


def test_pushes(run_small):
    """Rows that are pushed one at a time and at once give the same values, before and after a materialization."""
    printed = run_small("pushes")
    assert len(rows_below(printed, "pushes CPU ms files")) == 10
    for header in ("entity rows", "after materialize"):
        assert list(rows_below(printed, f"{header} each, ms at once, ms ratio")) == ["3", "1,000"]
    assert printed.splitlines()[-1] == "the values agree"


def test_attack(run_small):
    """Each attack is tried for a moment, and none succeeds."""
    _, *lines = run_small("attack").splitlines()
    results = [re.match(r".{44,}? (holds|skipped|BROKEN) ", line)[1] for line in lines]
    assert len(results) > 35
    assert set(results) <= {"holds", "skipped"}
    assert results.count("skipped") <= 1


def test_year(run_small):
    """Fifteen faults at the doors of a project leave no wrong answer and no lost write."""
    printed = run_small("year")
    assert re.search(r"^15 faults in .* 0 wrong$", printed, re.MULTILINE), printed
    doors = {line.split()[0] for line in printed.splitlines()[1:-1]}
    assert {"push", "delete", "materialize", "build", "release", "keys"} <= doors


def test_soak(run_small):
    """A server answers a mix of requests and releases without a failure of its own."""
    observed = json.loads(run_small("soak"))
    assert observed["answers"]["200"] > 0
    assert all(int(status) < 500 for status in observed["answers"])
    assert [len(observed[name]) for name in ("MiB", "descriptors", "threads")] == [3, 3, 3]


def test_reproducible(run_small):
    """Each natural view has one result, for any order of the rows, chunks and number of threads."""
    results = rows_below(run_small("reproducible"), "view builds results")
    assert len(results) > 40
    assert {name: numbers for name, numbers in results.items() if numbers != ["4", "1"]} == {}


def test_feast_faults(run_small):
    """Plain Feast does what the table of faults says that it does."""
    printed = run_small("feast_faults")
    measured = dict(re.fullmatch(r"(.+?)  +(.+)", line).groups() for line in printed.splitlines())
    text = (ROOT / "docs/faults.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    documented = {row[0].replace("\\", ""): row[-1] for row in rows if len(row) == 3}
    assert len(measured) > 10
    assert {name: documented.get(name) for name in measured} == measured


def test_windows_online(run_small):
    """A key with many events is read, and takes a new event."""
    lines = run_small("windows_online").splitlines()
    assert lines[0].startswith("3,000 events of one key, 5 windows")
    rows = [re.fullmatch(r"(.+?)  +([\d,]+) +([\d,]+)", line).groups() for line in lines[2:]]
    assert [name for name, *_ in rows] == [
        "read",
        "read, the best of five",
        "read, a millisecond after the last one",
        "read, no block in memory",
        "fixed work, to compare",
        "read over HTTP, one connection, wall",
        "read over HTTP, the server, mean",
        "apply a new event",
        "apply an event that is 30 days late",
        "advance the store by a logged event",
        "the same, 30 days late",
    ]


def test_windows_approximate(run_small):
    """No quantile is beyond its bound, and a count within 0.02 of so few values is exact."""
    errors = rows_below(run_small("windows_approximate"), "offline CPU, s mean, % max, %")
    greatest = {name: float(numbers[-1]) for name, numbers in errors.items() if "approximate" in name}
    assert greatest.pop("approximate_distinct, 0.1") > 0
    assert greatest.pop("approximate_distinct, 0.02") == 0
    assert greatest["approximate_quantile, 0.01"] <= 1
    assert greatest["approximate_quantile, 0.001"] <= 0.1


def test_on_demand_features_are_the_same_in_python_and_in_polars(run_small):
    """The benchmark compares the results before it times them."""
    table = rows_below(run_small("on_demand"), "rows Python, us Polars, us")

    assert set(table) == {"1", "32"}
