"""The command line: help that teaches, output that composes, exit codes that scripts can trust."""

import json
import re
import subprocess
import sys

import polars as pl
import pytest

from featurestore.cli.app import app

COMMANDS = sorted(
    " ".join(word for word in (group, command.name or command.callback.__name__) if word)
    for group, commands in ((None, app), *((g.name, g.typer_instance) for g in app.registered_groups))
    for command in commands.registered_commands
)


def run(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "featurestore.cli", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_whole_job_from_the_command_line(shop_files):
    """Each command prints one JSON document; together they do the job."""
    steps = [
        ["check"],
        ["validate"],
        ["build"],
        ["apply"],
        ["training-set"],
        ["materialize"],
        ["get", "buying", "customer=3", "basket=10"],
        ["explain", "buying", "customer=3", "basket=10", "--at", "2024-01-09T12:00:00Z"],
        ["audit"],
        ["report"],
        ["summary"],
    ]
    printed = {}
    for step in steps:
        done = run(*step, "--json", cwd=shop_files)
        assert done.returncode == 0, done.stderr
        printed[step[0]] = json.loads(done.stdout)
    assert printed["validate"][0]["rows_quarantined"] == 1
    assert printed["get"]["features"]["ratio"] == {"value": 1.25, "status": "PRESENT"}
    assert printed["explain"]["last_order"]["counts"] == {"older": 1, "answer": 1}
    assert printed["audit"]["mismatches"] == 0
    assert "no mismatch" in (shop_files / "data/report.html").read_text()
    assert "http" not in (shop_files / "data/report.html").read_text()
    text = run("summary", cwd=shop_files).stdout
    assert re.search(r"parity: \d+ cells compared, 0 mismatches", text)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["get"], 2, "Missing argument"),
        (["build", "last_ordr"], 3, "did you mean 'last_order'"),
        (["get", "buying", "customer=x", "basket=1"], 4, "customer='x' is not Int64"),
        (["get", "buying", "custmer=1"], 4, "needs no 'custmer'"),
        (["get", "buying", "customer"], 4, "'customer' says no value"),
        (["build", "last_order"], 6, "run: featurestore validate orders"),
        (["materialize", "--until", "soon"], 7, "'soon' is not a timestamp"),
        (["materialize", "--until", "2024-01-01"], 7, "has no time zone"),
        (["check", "--project", "/nowhere"], 7, "pyproject.toml: not found"),
    ],
)
def test_exit_codes_tell_errors_apart(shop_files, arguments, code, message):
    """A message of a line or two on standard error, nothing on standard output, no traceback."""
    done = run(*arguments, cwd=shop_files)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_releases_and_keys_from_the_command_line(shop_files):
    """Each prints one JSON document, and for people a line or a table; a key is shown once."""

    def printed(*words):
        done = run(*words, cwd=shop_files)
        assert done.returncode == 0, done.stderr
        return done.stdout

    for step in ("validate", "build", "materialize"):
        printed(step)
    assert printed("releases") == "there is no release: the project itself is served\n"
    assert printed("release") == "release 0001: 1 services, 1 views, served now\n"
    assert json.loads(printed("release", "--json"))["name"] == "0002"
    assert printed("rollback") == "release 0001 is served now\n"
    assert json.loads(printed("rollback", "0002", "--json")) == {"release": "0002"}
    assert json.loads(printed("releases", "--json"))["served"] == "0002"
    assert "0002" in printed("releases")
    assert printed("key", "list") == "there are no API keys\n"
    secret = printed("key", "add", "checkout", "--service", "buying").strip()
    assert secret.startswith("fs_")
    assert secret not in printed("key", "list", "--json")
    assert printed("key", "list") == "key       scopes  services\ncheckout  read    buying\n"
    assert printed("key", "remove", "checkout") == "removed checkout\n"
    done = run("replay", "buying", cwd=shop_files)
    assert done.returncode == 6
    assert "featurestore serve --log-features 1" in done.stderr


@pytest.mark.parametrize("name", ["pyproject.toml", "feature_repo/feature_store.yaml"])
@pytest.mark.parametrize("damage", ["binary", "unreadable"])
def test_settings_that_cannot_be_read_have_their_exit_code(shop_files, name, damage):
    """Whatever is wrong with the file."""
    path = shop_files / name
    if damage == "binary":
        path.write_bytes(b"\xff\xfe\x00")
    else:
        # What no permission of root's opens either: a file that only Linux's own programs may read to its end.
        path.unlink()
        path.symlink_to("/proc/self/mem")
    done = run("check", cwd=shop_files)
    assert done.returncode == 7, done.stderr
    assert f"{path.name}: " in done.stderr
    assert "Traceback" not in done.stderr


ROWS = {
    "rows.csv": "customer,event_timestamp,amount,coupon,ordered_at\n7,2024-01-09T22:00:00Z,5,,2024-01-09T22:00:00Z\n",
    "rows.jsonl": '{"customer": 7, "event_timestamp": "2024-01-09T22:00:00Z", "amount": 5, "coupon": null, '
    '"ordered_at": "2024-01-09T22:00:00Z", "created_timestamp": "2024-01-09T23:00:00Z"}\n',
}


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet"])
def test_rows_are_pushed_from_a_file_and_keys_deleted(shop_files, name):
    """Whatever the file's kind, the row is served; a deleted key is found no more."""
    for step in ("validate", "build", "materialize"):
        assert run(step, cwd=shop_files).returncode == 0
    for kind, text in ROWS.items():
        (shop_files / kind).write_text(text)
    pl.read_csv(ROWS["rows.csv"].encode(), try_parse_dates=True).with_columns(
        pl.col("amount").cast(pl.Float32), pl.col("coupon").cast(pl.String)
    ).write_parquet(shop_files / "rows.parquet")
    done = run("push", "last_order", name, cwd=shop_files)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "last_order: 1 rows pushed, 1 keys written; until 2024-01-10T00:00:00+00:00\n"
    got = json.loads(run("get", "buying", "customer=7", "basket=10", "--json", cwd=shop_files).stdout)
    assert got["features"]["amount"] == {"value": 5.0, "status": "PRESENT"}
    done = run("delete", "last_order", "customer=7", cwd=shop_files)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "last_order: 1 keys deleted\n"
    got = json.loads(run("get", "buying", "customer=7", "basket=10", "--json", cwd=shop_files).stdout)
    assert got["features"]["amount"] == {"value": None, "status": "NOT_FOUND"}
    again = run("delete", "last_order", "customer=7", "--json", cwd=shop_files)
    assert json.loads(again.stdout) == {"view": "last_order", "deleted": 0}


@pytest.mark.parametrize(
    ("name", "text", "code", "message"),
    [
        ("rows.csv", "customer,amount\n7,5\n", 4, "lacks"),
        ("rows.csv", ROWS["rows.csv"].replace("7,", "x,"), 4, "1 x customer.dtype(Int64), such as 'x'"),
        ("rows.csv", ROWS["rows.csv"].replace("7,", "7," * 9), 4, "rows.csv: cannot be read"),
        ("rows.csv", "", 4, "rows.csv: cannot be read"),
        ("rows.jsonl", '{"customer": 7}\n{"customer": ', 4, "rows.jsonl: cannot be read"),
        ("rows.jsonl", "", 4, "rows.jsonl: holds no rows"),
        ("rows.jsonl", ROWS["rows.jsonl"].replace("2024-01-09T23:00:00Z", "soon"), 4, "created_timestamp"),
        ("rows.parquet", "PAR1", 4, "rows.parquet: cannot be read"),
        ("rows.xlsx", "", 4, "rows.xlsx: of what kind it is is not known"),
        ("none.csv", None, 2, "does not exist"),
    ],
)
def test_a_file_that_cannot_be_pushed_writes_nothing(shop_files, name, text, code, message):
    """And says why."""
    for step in ("validate", "build", "materialize"):
        assert run(step, cwd=shop_files).returncode == 0
    if text is not None:
        (shop_files / name).write_text(text)
    done = run("push", "last_order", name, cwd=shop_files)
    assert done.returncode == code
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (shop_files / "data/pushed").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["custmer=7"], "view 'last_order' needs no 'custmer'"),
        (["customer=x"], "customer='x' is not Int64"),
        (["customer="], "'customer' is missing in 1 rows"),
    ],
)
def test_a_key_that_is_none_is_not_deleted(shop_files, words, message):
    """A view's keys, and nothing else."""
    for step in ("validate", "build", "materialize"):
        assert run(step, cwd=shop_files).returncode == 0
    done = run("delete", "last_order", *words, cwd=shop_files)
    assert done.returncode == 4
    assert message in done.stderr


def test_skew_has_its_exit_code(shop_files):
    """An audit that finds a difference exits with 5, after printing its record."""
    for step in ("validate", "build", "materialize"):
        assert run(step, cwd=shop_files).returncode == 0
    path = shop_files / "data/raw/orders.csv"
    path.write_text(path.read_text().replace(",8,", ",9,"))
    assert run("validate", cwd=shop_files).returncode == 0
    assert run("build", cwd=shop_files).returncode == 0
    done = run("audit", "--json", cwd=shop_files)
    assert done.returncode == 5
    assert json.loads(done.stdout)["mismatches"] == 1
    assert "last_order {'customer': 3} amount: offline 9.0 (PRESENT), online 8.0 (PRESENT)" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_by_an_example(command):
    """`--help` of each command holds an example of itself."""
    assert f"featurestore {command}" in " ".join(run(*command.split(), "--help").stdout.split())


def test_help_imports_nothing_heavy():
    """`--help` answers without Polars, Pandera, Feast, DVC or DuckDB."""
    code = (
        "import sys\n"
        "from featurestore.cli.app import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'polars', 'pandera', 'feast', 'dvc', 'duckdb', 'pandas', 'pyarrow', 'lmdb'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
