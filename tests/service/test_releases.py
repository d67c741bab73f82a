"""Releases: definitions and data move together, forward and back, under load, without a request dropped."""

import json
import subprocess
import threading

import forks
import polars as pl
import pytest
from serving import ROW, eventually, running

import featurestore
from featurestore.errors import ConfigError, MissingDataError, SkewError, StoreError, UnknownNameError
from featurestore.operations.release.releases import switch
from featurestore.project import init


def edit(shop, name, before, after):
    path = shop.settings.root / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def doubled(shop):
    """Return the shop with another definition of its ratio and other amounts, built and materialized."""
    edit(
        shop,
        "feature_repo/shop.py",
        'pl.col("basket") / pl.col("amount")',
        '2 * pl.col("basket") / pl.col("amount")',
    )
    edit(
        shop,
        "data/raw/orders.csv",
        "6,3,2024-01-08T00:00:00Z,2024-01-09T00:00:00Z,8,",
        "6,3,2024-01-08T00:00:00Z,2024-01-09T00:00:00Z,4,",
    )
    project = featurestore.open(shop.settings.root)
    project.validate("orders")
    project.build("last_order")
    project.check_leaks()
    project.materialize()
    return project


def test_a_release_is_a_project_of_its_own(stored):
    """Every command takes a release as a project, and later changes do not reach it."""
    release = stored.release()
    assert (release.name, stored.active_release()) == ("0001", "0001")
    frozen = featurestore.open(stored.layout.releases / "0001")
    assert frozen.get_online([ROW], "buying").equals(stored.get_online([ROW], "buying"))
    assert frozen.audit().mismatches == 0
    before = frozen.get_online([ROW], "buying")
    doubled(stored)
    assert featurestore.open(stored.layout.releases / "0001").get_online([ROW], "buying").equals(before)


def test_a_release_is_not_released_again(stored):
    """A release is made from a project: a release of a release is refused, and nothing is made."""
    stored.release()
    frozen = featurestore.open(stored.layout.releases / "0001")
    with pytest.raises(ConfigError, match="is a release"):
        frozen.release()
    assert not frozen.layout.releases.exists() or frozen.releases() == []


def test_a_project_without_services_is_not_released(tmp_path):
    """There is nothing to serve: it says so, and leaves no half-made release."""
    init(tmp_path)
    project = featurestore.open(tmp_path)
    with pytest.raises(ConfigError, match="no feature service"):
        project.release()
    assert project.releases() == []
    assert not (project.layout.releases / "0001").exists()


def test_a_release_and_its_project_have_definitions_of_their_own(stored):
    """One process opens a release and its project one after the other, each with its own definitions."""
    stored.release()
    edit(stored, "feature_repo/shop.py", "ttl=timedelta(days=5)", "ttl=timedelta(days=6)")
    roots = (stored.layout.releases / "0001", stored.settings.root)
    days = [featurestore.open(root).catalog.view("last_order").timing.ttl.days for root in (*roots, *roots)]
    assert days == [5, 6, 5, 6]


def test_forward_and_back_under_load_without_a_request_dropped(stored):
    """Each answer comes from one release as a whole: 8.0 with 2.0, or 4.0 with 8.0, and never a mixture."""
    stored.release()
    answers, stopping = [], threading.Event()
    with running(stored.settings.root) as client:

        def ask_repeatedly():
            while not stopping.is_set():
                answer = client.vectors(ROW)
                answers.append((answer.status_code, answer.json()["release"], *answer.json()["values"][0]))

        def wait_for(release):
            eventually(lambda: answers[-1][1] == release, f"release {release} did not become active")

        threads = [threading.Thread(target=ask_repeatedly) for _ in range(3)]
        for thread in threads:
            thread.start()
        eventually(lambda: answers, "no request was answered")
        newer = doubled(stored)
        newer.release()
        wait_for("0002")
        newer.rollback()
        wait_for("0001")
        newer.rollback("0002")
        wait_for("0002")
        stopping.set()
        for thread in threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in threads)
    assert {(status, release, amount, ratio) for status, release, amount, _, _, ratio in answers} == {
        (200, "0001", 8.0, 2.0),
        (200, "0002", 4.0, 8.0),
    }


def test_an_edited_release_is_refused_and_the_active_one_stays(stored, capfd):
    """The log and /ready say why, and no request is dropped."""
    stored.release()
    stored.release()
    stored.rollback("0001")
    edited = stored.layout.releases / "0002/feature_repo/shop.py"
    edited.write_text(edited.read_text() + "\n")
    with running(stored.settings.root) as client:
        switch(stored.layout, "0002")
        ready = eventually(
            lambda: "refused" in (body := client.get("/ready").json()) and body, "no release was refused"
        )
        assert ready["status"] == "ready"
        assert ready["release"] == "0001"
        assert client.vectors(ROW).status_code == 200
    with (
        pytest.raises(SkewError, match="definitions were changed since the release was made"),
        running(stored.settings.root),
    ):
        pass
    events = [json.loads(line)["event"] for line in capfd.readouterr().err.splitlines()]
    assert "release_refused" in events


def test_a_server_refuses_to_start_if_a_view_has_another_definition(stored):
    """The error names the view."""
    edit(stored, "feature_repo/shop.py", "ttl=timedelta(days=5)", "ttl=timedelta(days=6)")
    with (
        pytest.raises(SkewError, match=r"view last_order.*written by another definition"),
        running(stored.settings.root),
    ):
        pass


def test_a_server_refuses_to_start_if_a_training_set_has_another_definition(stored):
    """The model would get other features than it was trained on."""
    stored.training_set("visits")
    with running(stored.settings.root) as client:
        assert client.vectors(ROW).status_code == 200
    doubled(stored)
    with (
        pytest.raises(SkewError, match=r"training set visits.*featurestore training-set visits"),
        running(stored.settings.root),
    ):
        pass


def test_a_server_refuses_to_start_if_a_view_is_not_materialized(shop):
    """The error names the command to run, before any request arrives."""
    with pytest.raises(MissingDataError, match="featurestore materialize"), running(shop.settings.root):
        pass


def test_rows_pushed_to_a_release_reach_the_next(stored):
    """The log of pushes belongs to the project."""
    stored.release()
    row = {"customer": [7], "amount": [4.5], "coupon": [None], "ordered_at": [1704841200]}
    with running(stored.settings.root) as client:
        row["event_timestamp"] = ["2024-01-09T23:00:00"]
        assert client.post("/push", {"push_source_name": "last_order", "df": row}).status_code == 200
        assert client.vectors({"customer": 7, "basket": 9.0}).json()["values"][0][0] == 4.5
    stored.materialize(full=True)
    stored.release()
    with running(stored.settings.root) as client:
        answer = client.vectors({"customer": 7, "basket": 9.0}).json()
        assert (answer["release"], answer["values"][0][0]) == ("0002", 4.5)


def test_old_releases_are_removed_but_not_the_last_two(stored):
    """A number is not used twice while a later release exists, and rollback ends at the oldest release."""
    for _ in range(4):
        stored.release(keep=2)
    assert [release.name for release in stored.releases()] == ["0003", "0004"]
    assert stored.rollback() == "0003"
    with pytest.raises(
        MissingDataError, match=r"release 0003 is served, the oldest one\n.*featurestore rollback 0004"
    ):
        stored.rollback()
    with pytest.raises(UnknownNameError, match="no release named '0001'"):
        stored.rollback("0001")


def test_concurrent_releases_are_made_one_after_the_other(stored):
    """No release is lost, and none takes the folder of another."""
    command = [forks.python(), "-m", "featurestore.cli", "release", "--json"]
    processes = [
        subprocess.Popen(command, cwd=stored.settings.root, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    names = sorted(json.loads(process.communicate(timeout=120)[0])["name"] for process in processes)
    assert names == [release.name for release in stored.releases()] == ["0001", "0002", "0003"]


def damage_settings(root):
    (root / "feature_repo/feature_store.yaml").unlink()


def damage_record(root):
    (root / "release.json").write_text("{")


def damage_store(root):
    (root / "feature_repo/feature_store.yaml").write_text(
        "online_store: {type: featurestore.adapters.feast.online.RedisOnlineStore, url: 'redis://127.0.0.1:1/0'}"
    )


@pytest.mark.parametrize("damage", [damage_settings, damage_record, damage_store])
def test_an_old_release_that_cannot_be_removed_does_not_stop_the_next(stored, damage):
    """The release stays where it is, and a warning names it."""
    for _ in range(2):
        stored.release()
    damage(stored.layout.releases / "0001")
    for name in ("0003", "0004"):
        with pytest.warns(UserWarning, match="release 0001 was not removed: .*(not found|read|answer)"):
            assert stored.release(keep=1).name == name
    assert stored.active_release() == "0004"
    assert stored.rollback() == "0003"
    assert not (stored.layout.releases / "0002").exists()
    done = subprocess.run(
        [forks.python(), "-m", "featurestore.cli", "release", "--keep", "1"],
        cwd=stored.settings.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0
    assert done.stdout == "release 0005: 1 service, 1 view, served now\n"
    assert done.stderr.startswith("featurestore: release 0001 was not removed: ")


def test_a_release_that_cannot_be_written_is_an_error(stored):
    """The error names the file, and the current release stays."""
    stored.release()
    (stored.settings.root / "schemas/gone.py").symlink_to("nowhere")
    with pytest.raises(StoreError, match=r"releases/0002: cannot be written: .*gone.py"):
        stored.release()
    assert stored.active_release() == "0001"


def test_an_interrupted_release_does_not_count(stored):
    """A folder without its record is not listed, not served, and is overwritten."""
    (stored.layout.releases / "0001/data").mkdir(parents=True)
    (stored.layout.releases / "0001/data/half").write_text("")
    assert stored.releases() == []
    stored.release()
    assert [release.name for release in stored.releases()] == ["0001"]
    assert not (stored.layout.releases / "0001/data/half").exists()


def test_deleted_entities_stay_deleted_in_a_release(stored):
    """A release has a copy of the deletions."""
    stored.delete("last_order", pl.DataFrame({"customer": [3]}))
    stored.release()
    frozen = featurestore.open(stored.layout.releases / "0001")
    frozen.materialize(full=True)
    assert frozen.get_online([ROW], ["last_order:amount"])["amount"].to_list() == [None]
