"""Stored text moves no cursor and forges no line: each command prints control sequences as escapes."""

import json
import sys

import pytest
from runner import run

from featurestore.cli.app import main
from featurestore.cli.output import table

HOSTILE = "\x1b[2J\x9b31m\u202egnirts\r"
COUPON = f"{HOSTILE}\nforged  row"


COMMANDS = (
    ["validate"],
    ["build"],
    ["materialize"],
    ["get-online", "last_order", "customer=3"],
    ["get-online", "last_order", "customer=3", "--json"],
    ["get-online", "buying", "customer=3", f"basket={HOSTILE}"],
    ["explain", "last_order", "customer=3", "--at", "2024-01-09T12:00:00Z"],
    ["profile", "orders"],
    ["profile", "orders", "--json"],
    ["quarantine", "orders"],
    ["assess", "orders"],
    ["drift", "orders", "orders", "--by", "coupon"],
    ["suggest", "orders"],
    ["suggest", f"{HOSTILE}.csv"],
)


def test_no_command_prints_control_sequences(shop_files):
    """Neither on standard output nor on standard error, though a coupon and a bad amount hold some."""
    orders = shop_files / "data/raw/orders.csv"
    text = orders.read_text().replace("T00:00:00Z,8,", f'T00:00:00Z,8,"{COUPON}"')
    orders.write_text(text.replace("7,0,2024-01-08T00:00:00Z,,7,", f'7,0,2024-01-08T00:00:00Z,,"{COUPON}",'))
    for command in COMMANDS:
        done = run(*command, cwd=shop_files)
        printed = done.stdout + done.stderr
        assert printed, command
        assert not set(HOSTILE[0] + "\x9b\u202e\r") & set(printed), command
        assert "\nforged  row" not in printed, command
        if command[-1] == "--json":
            assert "forged" in str(json.loads(done.stdout))
            assert "\\u202e" in done.stdout


def test_an_error_prints_no_control_sequences(shop_files, monkeypatch, capsys):
    """An error that repeats what was given, such as a path, prints it with escapes."""
    monkeypatch.setattr(
        sys, "argv", ["featurestore", "suggest", f"{HOSTILE}.csv", "--project", str(shop_files)]
    )
    with pytest.raises(SystemExit):
        main()
    printed = capsys.readouterr().err
    assert "\\x1b[2J\\x9b31m\\u202egnirts" in printed
    assert not set("\x1b\x9b\u202e\r") & set(printed)


def test_a_cell_is_one_line():
    """A line break in a value does not begin a row of the table."""
    assert table([("a", "b"), ("1\n2  3", "4")]) == "a        b\n1\\n2  3  4"
