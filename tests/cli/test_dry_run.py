"""`--dry-run` prints the plan and changes nothing; the command then does what the plan says."""

import hashlib
import json

import pytest
from runner import run, run_steps

import featurestore


def tree(folder):
    """Digest every file and link of a folder, by name. LMDB's table of readers changes when a store is opened."""
    return {
        path.relative_to(folder).as_posix(): str(path.readlink())
        if path.is_symlink()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in folder.rglob("*")
        if path.name != "lock.mdb" and "__pycache__" not in path.parts
    }


def stored(project):
    """Read all rows of the online store, and its state."""
    store = project.store()
    return store.state("last_order"), list(store.scan("last_order"))


def planned(folder, *words):
    """Run a command with `--dry-run` as text and as JSON; nothing may change. Returns the plan."""
    before = tree(folder)
    text = run(*words, "--dry-run", cwd=folder)
    assert text.returncode == 0, text.stderr
    assert text.stdout.endswith("nothing was changed\n")
    printed = run(*words, "--dry-run", "--json", cwd=folder)
    assert tree(folder) == before
    return json.loads(printed.stdout)


@pytest.fixture
def built(shop_files):
    run_steps(shop_files, "validate", "build")
    return shop_files


@pytest.fixture
def materialized(built):
    run_steps(built, "materialize", "check-leaks")
    return built


def test_materialize_names_what_it_would_write(built):
    """The plan says from where, up to when, and why a view is written in full; no store is made."""
    plan = planned(built, "materialize", "--until", "2024-01-05T00:00:00Z")
    reason = "the store does not hold the view"
    assert plan == {
        "until": "2024-01-05T00:00:00Z",
        "views": [{"view": "last_order", "since": None, "full": reason}],
    }
    assert not (built / "data/online").exists()
    run("materialize", "--until", "2024-01-05T00:00:00Z", cwd=built)
    [view] = planned(built, "materialize")["views"]
    assert view == {"view": "last_order", "since": "2024-01-05T00:00:00Z", "full": None}
    assert not json.loads(run("materialize", "--json", cwd=built).stdout)["views"][0]["full"]
    [view] = planned(built, "materialize", "--until", "2024-01-04T00:00:00Z")["views"]
    assert view["full"] == "the timestamp is before the watermark"
    [view] = planned(built, "materialize", "--full")["views"]
    assert view["full"] == "a full run is requested"


def test_materialize_names_rows_that_changed(materialized):
    """Rows that were built again are written in full, and the plan says so."""
    raw = materialized / "data/raw/orders.csv"
    raw.write_text(raw.read_text().replace(",8,", ",9,"))
    run_steps(materialized, "validate", "build")
    assert planned(materialized, "materialize")["views"][0]["full"] == "the built rows changed"
    assert json.loads(run("materialize", "--json", cwd=materialized).stdout)["views"][0]["full"]


def test_apply_names_what_it_would_register(built):
    """Nothing is registered, and `apply` then makes the changes of the plan."""
    plan = planned(built, "apply")
    assert plan["added"] == ["service buying", "view last_order"]
    assert not (built / "data/registry").exists()
    project = featurestore.open(built)
    assert json.loads(run("apply", "--json", cwd=built).stdout) == plan
    assert project.plan_apply().added == ()


def test_apply_refuses_in_a_dry_run_what_it_would_refuse(built, monkeypatch):
    """The plan is printed, and the exit code is the one of `apply`."""
    monkeypatch.setattr("featurestore.adapters.feast.registry.FeastRegistry.apply", lambda *_: None)
    run_steps(built, "apply")
    record = built / "data/registry/applied.json"
    applied = json.loads(record.read_text())
    record.write_text(json.dumps(applied | {"views": applied["views"] | {"old_view": "sha256:0"}}))
    before = tree(built)
    done = run("apply", "--dry-run", cwd=built)
    assert done.returncode == 3
    assert "removed view old_view" in done.stdout
    assert "no longer defined, and would be removed from the registry: view old_view" in done.stderr
    assert tree(built) == before


def test_release_names_the_release_that_it_would_make(materialized):
    """Name, views and removed releases come true."""
    first = planned(materialized, "release")
    assert (first["name"], first["replaces"], first["removes"]) == ("0001", None, [])
    assert first["views"] == {"last_order": "2024-01-10T00:00:00Z"}
    for _ in range(3):
        run_steps(materialized, "release")
    plan = planned(materialized, "release", "--keep", "1")
    assert (plan["name"], plan["replaces"], plan["removes"]) == ("0004", "0003", ["0001", "0002"])
    run("release", "--keep", "1", cwd=materialized)
    project = featurestore.open(materialized)
    assert project.active_release() == "0004"
    assert [release.name for release in project.releases()] == ["0003", "0004"]


def test_rollback_names_the_release_that_it_would_serve(materialized):
    """And nothing is switched."""
    run_steps(materialized, "release", "release")
    plan = planned(materialized, "rollback")
    assert plan == {"release": "0001", "replaces": "0002", "views": ["last_order"]}
    project = featurestore.open(materialized)
    assert project.active_release() == "0002"
    run_steps(materialized, "rollback")
    assert project.active_release() == "0001"


def test_a_rollback_that_would_fail_fails_in_a_dry_run(materialized):
    """With the same exit code and message."""
    for words in (["rollback"], ["rollback", "0007"]):
        dry, real = run(*words, "--dry-run", cwd=materialized), run(*words, cwd=materialized)
        assert (dry.returncode, dry.stderr) == (real.returncode, real.stderr)
        assert dry.returncode in (3, 6)


def test_prune_names_the_releases_that_it_would_remove(materialized):
    """The active release and the one before it stay."""
    for _ in range(4):
        run_steps(materialized, "release")
    run_steps(materialized, "rollback")
    plan = planned(materialized, "prune", "--keep", "1")
    assert plan == {"removes": ["0001"], "keeps": ["0002", "0003", "0004"]}
    assert json.loads(run("prune", "--keep", "1", "--json", cwd=materialized).stdout) == {"removed": ["0001"]}
    assert run("prune", "--keep", "1", cwd=materialized).stdout == "removed none\n"
    assert [release.name for release in featurestore.open(materialized).releases()] == plan["keeps"]


def test_delete_names_the_keys_that_it_would_delete(materialized):
    """How many keys, how many of them are stored, and the release that they are deleted from too."""
    project = featurestore.open(materialized)
    before = stored(project)
    plan = planned(materialized, "delete", "last_order", "customer=3")
    assert plan == {
        "view": "last_order",
        "at": "2024-01-10T00:00:00Z",
        "keys": 1,
        "stored": 1,
        "release": None,
    }
    assert planned(materialized, "delete", "last_order", "customer=99")["stored"] == 0
    assert stored(project) == before
    run_steps(materialized, "release")
    assert planned(materialized, "delete", "last_order", "customer=3")["release"] == "0001"
    assert run("delete", "last_order", "customer=3", cwd=materialized).returncode == 0
    assert stored(project) != before
    assert planned(materialized, "delete", "last_order", "customer=3")["stored"] == 0
