"""Data of the past: an answer of expired values alone is explained, and `as_of` is the way out."""

from datetime import timedelta

import pytest
from runner import run

import featurestore

WORDS = ("get-online", "buying", "customer=3", "basket=10")


@pytest.fixture
def past(shop):
    """The shop, its data years ago, without `as_of`."""
    path = shop.settings.feast_repo / "feature_store.yaml"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "as_of:" not in line))
    project = featurestore.open(shop.settings.root)
    project.materialize()
    return project


def test_an_answer_of_expired_values_alone_is_explained(past):
    """The note names the view, its ttl and the setting; it is not part of the result."""
    done = run(*WORDS, cwd=past.settings.root)
    assert done.returncode == 0
    assert "view last_order (ttl 5 days" in done.stderr
    assert "as_of:" in done.stderr
    assert "as_of" not in done.stdout
    answer = past.get_online([{"customer": 3, "basket": 10.0}], "buying", statuses=True)
    assert past.only_expired(answer, "buying").ttl == {"last_order": timedelta(days=5)}


def test_the_way_out_that_the_note_names_works(past):
    """With `as_of` and a new materialization, the values are served, without a note."""
    path = past.settings.feast_repo / "feature_store.yaml"
    path.write_text(path.read_text().replace("store.lmdb\n", 'store.lmdb\n  as_of: "2024-01-10T00:00:00Z"\n'))
    assert run("materialize", "--full", cwd=past.settings.root).returncode == 0
    done = run(*WORDS, cwd=past.settings.root)
    assert done.stderr == ""
    assert "PRESENT" in done.stdout


def test_a_key_that_is_not_found_is_not_called_expired(past):
    """No row of the key was ever known."""
    assert run("get-online", "buying", "customer=99", "basket=10", cwd=past.settings.root).stderr == ""


def test_the_settings_of_a_new_project_explain_as_of(tmp_path):
    """One meets the setting where one sets it."""
    assert run("init", str(tmp_path / "new")).returncode == 0
    assert "# as_of:" in (tmp_path / "new/feature_repo/feature_store.yaml").read_text()
