"""`featurestore prove`: what it prints, and its exit code."""

import json
import re

import pytest
from runner import run
from shop import write_files

from featurestore.adapters import lmdb


@pytest.fixture(scope="module")
def shop_root(tmp_path_factory):
    """The shop's files, for all tests of the module: a proof changes nothing in them."""
    return write_files(tmp_path_factory.mktemp("shop"))


def test_the_command_exits_with_5_and_prints_the_script(shop_root, monkeypatch):
    """The exit code is that of skew, and JSON carries the same record."""
    monkeypatch.setattr(lmdb, "version_of", lambda row: row[:8])
    done = run("prove", "--cases", "6", cwd=shop_root)
    assert done.returncode == 5
    assert "with project.sandbox(embedded=True) as sandbox:" in done.stdout
    assert "differences in generated cases (seed 1)" in done.stderr
    printed = json.loads(run("prove", "--cases", "6", "--json", cwd=shop_root).stdout)
    assert printed["differences"][0]["store"] == "lmdb"


def test_the_command_prints_what_was_compared(shop_root):
    """Paths with their cells, and that nothing differs."""
    done = run("prove", "--cases", "2", cwd=shop_root)
    assert done.returncode == 0, done.stderr
    assert "1 view, 1 service on lmdb\n" in done.stdout
    assert ", 0 differences\n" in done.stdout
    assert re.search(r"^HTTP /v1/vectors +\d+$", done.stdout, re.MULTILINE)


def test_a_view_without_cases_is_named(shop_files):
    """A check that no known value keeps is not passed over in silence."""
    path = shop_files / "schemas/shop.py"
    head, last_order = path.read_text().split("class LastOrder")
    unknown = last_order.replace(
        'nullable=True, description="coupon"', 'str_matches="(?=b)a", description="coupon"', 1
    )
    path.write_text(f"{head}class LastOrder{unknown}")
    done = run("prove", "--cases", "2", cwd=shop_files)
    assert "not proved: last_order: no value is known that keeps the checks of coupon\n" in done.stdout
    assert "not proved: buying: no value is known that keeps the checks of coupon\n" in done.stdout
