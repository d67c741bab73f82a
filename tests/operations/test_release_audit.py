"""A release proves itself before it is served: after one difference, the former release stays active."""

import re
from dataclasses import replace

import polars as pl
import pytest
from runner import run
from shop import build_shop, move_store, write_files

from featurestore.adapters.stores import open_store
from featurestore.errors import SkewError
from featurestore.operations.audit.causes import Cause
from featurestore.operations.release.releases import read_release
from featurestore.service.lookup.endpoint import Endpoint
from featurestore.storage.files import write_parquet
from featurestore.values.codec import encode_rows


def change_store(shop):
    """Write another amount of customer 3 into the store."""
    store, view = shop.store(), shop.catalog.view("last_order")
    rows = shop.dataset("last_order").filter(customer=3).tail(1).with_columns(amount=pl.lit(8.5, pl.Float32))
    changed = dict(encode_rows(rows.collect(), view.keys, view.feature_schema))
    pairs = {**dict(store.scan("last_order")), **changed}
    store.write("last_order", pairs.items(), store.state("last_order"), replace=True)


def change_training_set(shop):
    """Write another amount into the kept training set."""
    path = shop.layout.training("visits")
    write_parquet(pl.read_parquet(path).with_columns(pl.col("amount") + 1), path)


def change_data(shop):
    """Build and materialize a corrected raw value; the model keeps what it was trained on."""
    path = shop.settings.root / "data/raw/orders.csv"
    path.write_text(path.read_text().replace("10.5", "11.5"))
    shop.validate("orders")
    shop.build("last_order")
    shop.check_leaks()
    shop.materialize()


@pytest.fixture
def released(shop):
    """The shop with a training set, served from release 0001."""
    shop.training_set("visits")
    shop.materialize()
    shop.release()
    return shop


def require_unchanged(shop):
    """Release 0001 is served, and nothing else is left."""
    assert shop.active_release() == "0001"
    assert [release.name for release in shop.releases()] == ["0001"]
    folders = {path.name for path in shop.layout.releases.iterdir()}
    assert folders == {"0001", "current", ".lock", ".lock.next.lock"}


def test_a_release_says_how_much_was_compared(released):
    """The release has its own store, paths and training sets, and a record of its audit."""
    root = released.layout.releases / "0001"
    assert read_release(root).cells == released.audit().cells > 100
    assert (root / "data/records/audit.json").exists()
    assert (root / "data/training/visits.parquet").exists()


@pytest.mark.parametrize("change", [change_store, change_training_set, change_data])
def test_one_difference_refuses_the_release(released, change):
    """It exits with 5, and the former release stays active."""
    change(released)
    with pytest.raises(SkewError, match="cells differ between training and serving") as caught:
        released.release()
    assert caught.value.exit_code == 5
    require_unchanged(released)


def test_the_commands_exit_with_5_and_name_paths_and_cells(released):
    """The table of `audit` has a line for each path; `release` names the cells, and prints no release."""
    change_training_set(released)
    audited = run("audit", cwd=released.settings.root)
    assert audited.returncode == 5
    assert re.search(r"^visits +training set +5 +20 +\d+$", audited.stdout, re.MULTILINE)
    assert re.search(r"^buying +HTTP /v1/vectors +", audited.stdout, re.MULTILINE)
    refused = run("release", cwd=released.settings.root)
    assert (refused.returncode, refused.stdout) == (5, "")
    assert "amount: offline 10.5 (PRESENT), training set 11.5 (PRESENT); cause: file edited" in refused.stderr
    require_unchanged(released)


def test_a_fault_of_the_server_refuses_the_release(released, monkeypatch):
    """The release is asked as applications ask, before it answers them."""
    answer = Endpoint.answer

    def shifted(self, vectors, as_of, **named):
        vectors.values[0][0] = 1.0
        return answer(self, vectors, as_of, **named)

    monkeypatch.setattr(Endpoint, "answer", shifted)
    with pytest.raises(SkewError, match=rf"HTTP /v1/vectors 1\.0 .*{Cause.SERVING_PATH.value}"):
        released.release()
    require_unchanged(released)


def test_an_error_while_a_release_is_made_leaves_nothing(released, monkeypatch):
    """A server that refuses its own training rows is an error of its own, and ends in the same way."""
    monkeypatch.setattr(Endpoint, "decode", lambda *_: {}["absent"])
    with pytest.raises(SkewError, match="HTTP /v1/vectors refuses the rows with status 500"):
        released.release()
    require_unchanged(released)
    monkeypatch.undo()
    assert released.release().name == "0002"


def test_a_dry_run_compares_nothing_and_changes_nothing(released):
    """The plan is made of records; the audit belongs to the release."""
    change_training_set(released)
    assert released.plan_release().name == "0002"
    require_unchanged(released)


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_a_failed_release_leaves_no_rows_on_a_server(tmp_path, request, kind):
    """The rows of all releases are in one database, under the name of each."""
    folder = write_files(tmp_path)
    move_store(folder, kind, request.getfixturevalue(f"{kind}_url"))
    shop = build_shop(folder)
    shop.training_set("visits")
    shop.materialize()
    shop.release()
    change_training_set(shop)
    with pytest.raises(SkewError):
        shop.release()
    require_unchanged(shop)

    def rows(release):
        settings = replace(shop.settings, name=f"{shop.settings.name}_{release}")
        return list(open_store(settings).scan("last_order"))

    open_store(replace(shop.settings, name="absent")).drop(["last_order"])
    assert len(rows("0001")) == 3
    assert rows("0002") == []
