"""The doors of a project: queries, names, stored texts, files."""

from __future__ import annotations

import random
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import polars as pl
from runner import run as run_command
from servers import PostgresServer, run_server
from shop import build_shop, write_files

import featurestore
from attacks.target import BrokenPromiseError, Case, Target, require
from featurestore.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = "SELECT 3 AS customer, TIMESTAMPTZ '2024-01-09 12:00:00Z' AS event_timestamp, 16.0 AS basket"
ESCAPES = "\x1b[31mred\x1b[0m\x1b]0;title\x07\u202egnp.exe\r\x9b2J"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def sql(target: Target) -> str:
    """Ask for entity rows with statements that write, read files, load code or see secrets: each is refused."""
    secret, written = target.folder / "secret.csv", target.folder / "written"
    secret.write_text("customer\n3\n")
    statements = (
        f"COPY ({ROWS}) TO '{written}'",
        f"{ROWS}; COPY ({ROWS}) TO '{written}'",
        f"ATTACH '{written}' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        f"EXPORT DATABASE '{written}'",
        f"CREATE TABLE t AS {ROWS}",
        "SET enable_external_access = true",
        f"PRAGMA database_list; {ROWS}",
        f"SELECT * FROM '{secret}'",
        f"SELECT * FROM read_csv('{secret}')",
        f"SELECT * FROM read_text('{secret}')",
        f"SELECT * FROM glob('{target.folder}/*')",
        "SELECT * FROM read_csv('http://127.0.0.1:1/a.csv')",
        "SELECT getenv('HOME') AS customer",
        f"WITH a AS ({ROWS}) SELECT * FROM a, read_blob('{secret}')",
        "CALL dbgen(sf = 0.001)",
        f"EXPLAIN ANALYZE COPY ({ROWS}) TO '{written}'",
        f"/* SELECT */ COPY ({ROWS}) TO '{written}' --",
        f"PREPARE p AS COPY ({ROWS}) TO '{written}'",
        "SELECT * FROM duckdb_secrets()",
    )
    project = target.project
    require(project.historical(ROWS, ["last_order:amount"]).height == 1, "a good query is refused")
    for statement in statements:
        try:
            answer = project.historical(statement, ["last_order:amount"])
        except ContractError:
            continue
        raise BrokenPromiseError(f"{statement!r} is answered with {answer.height} rows")
    require(not written.exists(), "a statement wrote a file")
    return f"{len(statements)} statements, all refused"


def stored_text(target: Target) -> str:
    """Print rows whose text has escape sequences: a terminal gets none of them, and JSON keeps them exactly."""
    root = target.copy()
    project = featurestore.open(root)
    row = {"customer": [9], "amount": [1.0], "coupon": [ESCAPES], "ordered_at": ["2024-01-09T00:00:00Z"]}
    project.push("last_order", pl.DataFrame({**row, "event_timestamp": row["ordered_at"]}))
    orders = root / "data/raw/orders.csv"
    orders.write_text(orders.read_text() + f'8,-1,2024-01-09T00:00:00Z,,7,"{ESCAPES}"\n')
    run_command("validate", "orders", cwd=root)
    commands = (
        ("get-online", "buying", "customer=9", "basket=1.0"),
        ("explain", "last_order", "customer=9"),
        ("quarantine", "orders"),
        ("compare", "orders", "orders"),
        ("profile", "orders"),
        ("get-online", "buying", f"customer={ESCAPES.replace(chr(13), '')}", "basket=1.0"),
        ("validate", ESCAPES),
    )
    for words in commands:
        done = run_command(*words, cwd=root)
        shown = CONTROL.search(done.stdout + done.stderr)
        require(shown is None, f"{words[0]} prints {shown[0]!r} raw" if shown else "")
    return f"{len(commands)} commands"


def drafted_code(target: Target) -> str:
    """Draft code from names that are code: the draft is refused, or it only declares a schema."""
    root, ran = target.copy(), target.folder / "ran"
    names = (
        f"A: pass\nopen({str(ran)!r}, 'w').close()\nclass B",
        f"A(__import__('pathlib').Path({str(ran)!r}).touch())",
        "class",
        "",
        "a b",
        "__import__",
    )
    for name in names:
        done = run_command("suggest", "data/raw/orders.csv", "--name", name, cwd=root)
        require(
            done.returncode != 0 or name.isidentifier(), f"--name {name!r} is accepted: {done.stdout[:200]}"
        )
    columns = root / "columns.csv"
    columns.write_text(f'"""x""","a\nopen(\'{ran}\',\'w\')",class,{{}}\n1,2,3,4\n')
    done = run_command("suggest", str(columns), cwd=root)
    if done.returncode == 0:
        exec(compile(done.stdout, "<draft>", "exec"), {})  # noqa: S102 - that is the attack
    require(not ran.exists(), "the draft ran code")
    return f"{len(names)} names, a header of 4 columns"


def personal_reports(target: Target) -> str:
    """Validate a dataset with a personal column again and again: every report still comes, without its values."""
    root = write_files(target.folder / "personal")
    schema = root / "schemas/shop.py"
    text = schema.read_text()
    declared = 'coupon: pl.String = pa.Field(nullable=True, description="coupon")'
    require(declared in text, "the shop has another schema")
    schema.write_text(text.replace(declared, f'{declared[:-1]}, metadata={{"personal": True}})'))
    project = build_shop(root)
    project.validate("orders")
    project.validate("orders")
    for words in (
        ("report",),
        ("assess", "orders"),
        ("drift", "orders"),
        ("anomalies",),
        ("profile", "orders"),
    ):
        done = run_command(*words, cwd=root)
        require("Traceback" not in done.stderr, f"{words[0]}: {done.stderr[-300:]}")
        require("SPRING" not in done.stdout + done.stderr, f"{words[0]} shows a personal value")
    pages = [*root.glob("data/report.html"), *root.glob("data/reports/*.html")]
    for page in pages:
        require("SPRING" not in page.read_text(), f"{page.name} shows a personal value")
    return f"5 commands, {len(pages)} pages"


def names_on_servers(target: Target) -> str:
    """Name a project with characters that mean something in SQL, patterns or formats: it works, or is refused."""
    names = ("a%sb", "a%b", "a{0}b", 'a"b', "a'b", "a;b", "a*b")
    refused = 0
    with run_server(PostgresServer) as server:
        for name in names[:2] if target.small else names:
            root = target.copy(
                **{
                    "LmdbOnlineStore": "PostgresOnlineStore",
                    "path: ../data/online/store.lmdb": f"url: {server.url}",
                    "project: shop": f"project: '{name.replace(chr(39), chr(39) * 2)}'",
                }
            )
            done = [run_command(word, cwd=root) for word in ("materialize", "audit")]
            for command in done:
                require("Traceback" not in command.stderr, f"{name!r}: {command.stderr[-300:]}")
            if done[0].returncode:
                refused += 1
            else:
                require(done[1].returncode == 0, f"{name!r}: the audit fails: {done[1].stderr[-300:]}")
    return f"{2 if target.small else len(names)} names, {refused} refused"


def permissions(target: Target) -> str:
    """Look for files of data that others than the owner may read."""
    data = target.project.layout.data
    open_to_others = []
    private = (
        "datasets",
        "features",
        "quarantine",
        "refused",
        "pushed",
        "online",
        "serving",
        "served",
        "uploads",
        "training",
    )
    count = 0
    for name in private:
        folder = data / name
        if not folder.exists():
            continue
        count += 1
        # A folder that others may not enter protects what is in it.
        if stat.S_IMODE(folder.stat().st_mode) & 0o077 and any(
            stat.S_IMODE(path.stat().st_mode) & 0o044 for path in _files(folder)
        ):
            open_to_others.append(name)
    require(not open_to_others, f"others may read {', '.join(open_to_others)}")
    return f"{count} folders"


def damaged_store(target: Target) -> str:
    """Flip bits of an online store and cut it: each read is an error or the right answer, never another one."""
    root = target.copy()
    right = featurestore.open(root).get_online(
        [{"customer": c} for c in range(1, 6)], ["last_order"], statuses=True
    )
    path = root / "data/online/store.lmdb/data.mdb"
    content = path.read_bytes()
    chance = random.Random(target.seed)
    outcomes = {"refused": 0, "right": 0}
    for turn in range(1 if target.small else 60):
        folder = target.copy()
        damaged = folder / "data/online/store.lmdb/data.mdb"
        if turn % 3 == 0:
            damaged.write_bytes(content[: chance.randrange(len(content))])
        else:
            place = chance.randrange(len(content))
            # Empty pages matter to nobody.
            while not content[place]:
                place = chance.randrange(len(content))
            changed = bytearray(content)
            changed[place] ^= 1 << chance.randrange(8)
            damaged.write_bytes(bytes(changed))
        done = run_in_process(folder)
        require(done[0] >= 0, f"a signal ended the command: {done}")
        if done[0] == 0:
            require(done[1] == _text(right), f"turn {turn}: another answer: {done[1][:300]}")
            outcomes["right"] += 1
        else:
            outcomes["refused"] += 1
    return ", ".join(f"{name}: {count}" for name, count in outcomes.items())


def run_in_process(root: Path) -> tuple[int, str]:
    """Read the customers of a project in a process of its own, because damage may end it."""
    code = (
        "import sys, featurestore\n"
        "from featurestore.errors import FeatureStoreError\n"
        "try:\n"
        "    p = featurestore.open(sys.argv[1])\n"
        "    r = p.get_online([{'customer': c} for c in range(1, 6)], ['last_order'], statuses=True)\n"
        "except FeatureStoreError as error:\n"
        "    sys.exit(error.exit_code)\n"
        "sys.stdout.write(repr(r.rows()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=False
    )
    require("Traceback" not in done.stderr, done.stderr[-300:])
    return done.returncode, done.stdout


def _text(frame: pl.DataFrame) -> str:
    return repr(frame.rows())


def _files(folder: Path) -> Iterator[Path]:
    return (
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path.suffix != ".lock"
    )


CASES = (
    Case("statements that are not a SELECT of data", "SQL", sql),
    Case("escape sequences in stored texts", "terminal", stored_text),
    Case("code in names of a draft", "generated code", drafted_code),
    Case("personal columns in reports", "reports", personal_reports),
    Case("names of projects in statements", "PostgreSQL", names_on_servers),
    Case("files that others may read", "disk", permissions),
    Case("flipped bits and cuts of an online store", "disk", damaged_store),
)
