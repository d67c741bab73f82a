"""Each known way in which a feature store goes wrong is caught by a command that its users run."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from known_faults import FAULTS, PARTS
from laws import DEPTH
from market import make_market
from market_day import run_day

# Every second fault in each run of the tests, and all in `make laws`.
PLANTED = FAULTS[:: 2 if DEPTH == 1 else 1]
# Whether a training set is made on the day, and whether rows are pushed.
DAYS = [(False, False), (True, True)] + ([] if DEPTH == 1 else [(False, True), (True, False)])


# The commands before which a fault is planted, in the order of the day.
STOPS = ("check", "materialize", "audit", "release", "serve")


@pytest.fixture(scope="session")
def mornings(tmp_path_factory):
    """Return the market before a command of the day; the commands before it ran without a fault.

    A day is run once: the market before a command is a copy of the one before the former stop, a few commands later.
    """
    folders = {}

    def morning(since="check", *, trains=False, pushes=False):
        # Rows are pushed after `materialize`, and nothing is trained before `check`.
        key = (since, trains and since != "check", pushes and since not in STOPS[:2])
        if key not in folders:
            folder = tmp_path_factory.mktemp("mornings") / "market"
            if since == "check":
                folder.mkdir()
                make_market(folder)
            else:
                former = STOPS[STOPS.index(since) - 1]
                day = {"trains": trains, "pushes": pushes}
                shutil.copytree(morning(former, **day), folder, symlinks=True)
                assert run_day(folder, since=former, until=since, **day) is None
            folders[key] = folder
        return folders[key]

    return morning


@pytest.mark.parametrize(("trains", "pushes"), DAYS)
def test_without_a_fault_every_command_succeeds(mornings, tmp_path, trains, pushes):
    """A day without a fault raises no alarm: none before its last stop, or there would be no such market, and none after it."""
    day = {"trains": trains, "pushes": pushes}
    market = shutil.copytree(mornings(STOPS[-1], **day), tmp_path / "market", symlinks=True)
    assert run_day(market, since=STOPS[-1], **day) is None


@pytest.mark.parametrize("fault", PLANTED, ids=[fault.name for fault in PLANTED])
def test_a_planted_fault_is_caught(fault, mornings, tmp_path, monkeypatch):
    """The first command that does not succeed is the one of which the table says that it catches the fault."""
    day = {"since": fault.since, "trains": fault.trains, "pushes": fault.pushes}
    market = shutil.copytree(mornings(**day), tmp_path / "market", symlinks=True)
    fault.plant(market, monkeypatch)
    alarm = run_day(market, **day)
    assert alarm is not None, "no command caught it"
    assert (alarm.command, alarm.exit_code) == (fault.caught_by, fault.exit_code), alarm.message[:300]


def test_each_fault_has_a_name_of_its_own():
    """The table finds a fault by its name."""
    names = [fault.name for fault in FAULTS]
    assert sorted(set(names)) == sorted(names)


def test_the_page_names_each_fault_and_what_catches_it():
    """docs/faults.md has a table for each part, with its faults in the order of the code, and counts them."""
    text = (Path(__file__).parents[2] / "docs/faults.md").read_text()
    sections = re.findall(r"^## (.+)\n\n((?:\|.+\n)+)", text, re.MULTILINE)
    tables = {
        title: [line.strip("| ").split(" | ") for line in table.splitlines()[2:]] for title, table in sections
    }
    assert {title: [tuple(row[:2]) for row in rows] for title, rows in tables.items()} == {
        title: [(_escaped(fault.name), f"`{fault.caught_by}`") for fault in part.FAULTS]
        for title, part in PARTS.items()
    }
    assert f"plants {len(FAULTS)} known ways" in text
    answers = Counter(row[2].split(" (")[0] for rows in tables.values() for row in rows)
    counted = re.findall(r"^\| ([a-z, ]+) \| (\d+) \|", text, re.MULTILINE)
    assert {answer: int(count) for answer, count in counted} == dict(answers)


def _escaped(name):
    return re.sub(r"([|*])", r"\\\1", name)
