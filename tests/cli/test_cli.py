"""The command line: help that teaches, output that composes, exit codes that scripts can trust."""

import json
import re
import subprocess
import sys
from importlib.metadata import version

import forks
import polars as pl
import pytest
from runner import run, run_steps

from featurestore.cli.app import app

COMMANDS = sorted(
    " ".join(word for word in (group, command.name or command.callback.__name__) if word)
    for group, commands in ((None, app), *((g.name, g.typer_instance) for g in app.registered_groups))
    for command in commands.registered_commands
)


def start(*words, cwd=None):
    """Run a command in a process of its own."""
    return subprocess.run(
        [forks.python(), "-m", "featurestore.cli", *words],
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
        ["get-online", "buying", "customer=3", "basket=10"],
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
    assert printed["get-online"]["features"]["ratio"] == {"value": 1.25, "status": "PRESENT"}
    assert printed["explain"]["last_order"]["counts"] == {"older": 1, "answer": 1}
    assert printed["audit"]["mismatches"] == 0
    assert "no mismatch" in (shop_files / "data/report.html").read_text()
    assert "http" not in (shop_files / "data/report.html").read_text()
    text = run("summary", cwd=shop_files).stdout
    assert re.search(r"parity: \d+ cells compared, 0 mismatches", text)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["get-online"], 2, "Missing argument"),
        (["build", "last_ordr"], 3, "did you mean 'last_order'"),
        (["get-online", "buying", "customer=x", "basket=1"], 2, "customer='x' is not Int64"),
        (["get-online", "buying", "custmer=1"], 2, "service 'buying' has no column 'custmer'"),
        (["get-online", "buying", "customer"], 2, "'customer' has no value"),
        (["build", "last_order"], 6, "run: featurestore validate orders"),
        (["materialize", "--until", "soon"], 2, "'soon' is not a timestamp"),
        (["materialize", "--until", "2024-01-01"], 2, "has no time zone"),
    ],
)
def test_exit_codes_tell_errors_apart(shop_files, arguments, code, message):
    """Each kind of error has its exit code; the message is on standard error, and standard output is empty."""
    done = run(*arguments, cwd=shop_files)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["get-online"], 2, "Missing argument"),
        (["build", "last_order"], 6, "run: featurestore validate orders"),
        (["check", "--project", "/nowhere"], 7, "pyproject.toml: not found"),
    ],
)
def test_a_process_exits_with_the_code_of_its_error(shop_files, words, code, message):
    """The process prints a message of a line or two, and no traceback."""
    done = start(*words, cwd=shop_files)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_printed():
    """`featurestore --version` prints the installed version."""
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"featurestore {version('featurestore')}\n")


def test_releases_and_keys_from_the_command_line(shop_files):
    """Each command prints one JSON document, or a line or table of text; a key is shown once."""

    def printed(*words):
        done = run(*words, cwd=shop_files)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run_steps(shop_files, "validate", "build", "check-leaks", "materialize")
    assert printed("releases") == "there is no release: the project itself is served\n"
    assert printed("release") == "release 0001: 1 service, 1 view, served now\n"
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
    """A file that is not text, and a file that cannot be read, are errors of the settings."""
    path = shop_files / name
    if damage == "binary":
        path.write_bytes(b"\xff\xfe\x00")
    else:
        # Root cannot read this file either.
        path.unlink()
        path.symlink_to("/proc/self/mem")
    done = run("check", cwd=shop_files)
    assert done.returncode == 7, done.stderr
    assert f"{path.name}: " in done.stderr


ROWS = {
    "rows.csv": "customer,event_timestamp,amount,coupon,ordered_at\n7,2024-01-09T22:00:00Z,5,,2024-01-09T22:00:00Z\n",
    "rows.jsonl": '{"customer": 7, "event_timestamp": "2024-01-09T22:00:00Z", "amount": 5, "coupon": null, '
    '"ordered_at": "2024-01-09T22:00:00Z", "created_timestamp": "2024-01-09T23:00:00Z"}\n',
}


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet"])
def test_rows_are_pushed_from_a_file_and_keys_deleted(shop_files, name):
    """The row of a file of any format is served; a deleted key is not found."""
    run_steps(shop_files, "validate", "build", "materialize")
    for kind, text in ROWS.items():
        (shop_files / kind).write_text(text)
    pl.read_csv(ROWS["rows.csv"].encode(), try_parse_dates=True).with_columns(
        pl.col("amount").cast(pl.Float32), pl.col("coupon").cast(pl.String)
    ).write_parquet(shop_files / "rows.parquet")
    done = run("push", "last_order", str(shop_files / name), cwd=shop_files)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "last_order: 1 row pushed, 1 written; until 2024-01-10T00:00:00+00:00\n"
    got = json.loads(run("get-online", "buying", "customer=7", "basket=10", "--json", cwd=shop_files).stdout)
    assert got["features"]["amount"] == {"value": 5.0, "status": "PRESENT"}
    done = run("delete", "last_order", "customer=7", cwd=shop_files)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "last_order: 1 key deleted\n"
    got = json.loads(run("get-online", "buying", "customer=7", "basket=10", "--json", cwd=shop_files).stdout)
    assert got["features"]["amount"] == {"value": None, "status": "NOT_FOUND"}
    again = run("delete", "last_order", "customer=7", "--json", cwd=shop_files)
    assert json.loads(again.stdout) == {"view": "last_order", "deleted": 0, "stored": 0}


@pytest.mark.parametrize(
    ("name", "text", "code", "message"),
    [
        ("rows.csv", "customer,amount\n7,5\n", 4, "lacks"),
        ("rows.csv", ROWS["rows.csv"].replace("7,", "x,"), 4, "1 x customer.dtype(Int64), such as 'x'"),
        ("rows.csv", ROWS["rows.csv"].replace("7,", "7," * 9), 4, "rows.csv: cannot be read"),
        ("rows.csv", "", 4, "rows.csv: the file is empty"),
        ("rows.jsonl", '{"customer": 7}\n{"customer": ', 4, "rows.jsonl: cannot be read"),
        ("rows.jsonl", "", 4, "rows.jsonl: the file is empty"),
        ("rows.jsonl", ROWS["rows.jsonl"].replace("2024-01-09T23:00:00Z", "soon"), 4, "created_timestamp"),
        ("rows.parquet", "PAR1", 4, "rows.parquet: cannot be read"),
        ("rows.xlsx", "", 4, "rows.xlsx: the format '.xlsx' is unknown"),
        ("none.csv", None, 2, "does not exist"),
    ],
)
def test_a_file_that_cannot_be_pushed_writes_nothing(shop_files, name, text, code, message):
    """The message says why."""
    run_steps(shop_files, "validate", "build", "materialize")
    if text is not None:
        (shop_files / name).write_text(text)
    done = run("push", "last_order", str(shop_files / name), cwd=shop_files)
    assert done.returncode == code
    assert message in " ".join(done.stderr.split())
    assert not (shop_files / "data/pushed").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["custmer=7"], 2, "view 'last_order' has no column 'custmer'"),
        (["customer=x"], 2, "customer='x' is not Int64"),
        (["customer="], 4, "'customer' is missing in 1 row"),
    ],
)
def test_a_wrong_key_is_not_deleted(shop_files, words, code, message):
    """Only the keys of a view, with values of their dtype, are deleted."""
    run_steps(shop_files, "validate", "build", "materialize")
    done = run("delete", "last_order", *words, cwd=shop_files)
    assert done.returncode == code
    assert message in done.stderr


def test_skew_has_its_exit_code(shop_files):
    """An audit that finds a difference exits with 5, after printing its record."""
    run_steps(shop_files, "validate", "build", "materialize")
    path = shop_files / "data/raw/orders.csv"
    path.write_text(path.read_text().replace(",8,", ",9,"))
    assert run("validate", cwd=shop_files).returncode == 0
    assert run("build", cwd=shop_files).returncode == 0
    done = run("audit", "--json", cwd=shop_files)
    assert done.returncode == 5
    assert json.loads(done.stdout)["mismatches"] == 1
    assert "last_order customer=3 amount: offline 9.0 (PRESENT), online 8.0 (PRESENT)" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_by_an_example(command):
    """`--help` of each command shows an example of it."""
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
