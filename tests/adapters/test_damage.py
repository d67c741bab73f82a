"""A damaged store is noticed before it answers wrongly or ends the process, and the command that is named heals it."""

import json
import os
import shutil
import struct
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from runner import run
from serving import eventually, running

import featurestore
from featurestore.adapters import lmdb as lmdb_adapter
from featurestore.adapters import lmdb_check, lmdb_file
from featurestore.adapters.lmdb import LmdbStore
from featurestore.errors import SkewError, StoreError
from featurestore.ports import ViewState
from featurestore.testing import MemoryStore
from featurestore.values.codec import HEADER, ROW_FORMAT, encode_key, require_intact, seal, tombstone

KEYS = [encode_key((number,)) for number in range(130)]
ASKED = [("v", KEYS), ("w", KEYS)]
HEALS = "featurestore materialize --full"


def answer_of(store):
    answers = store.read(ASKED)
    for _, rows in answers:
        require_intact(KEYS, rows)
    return answers


def row_of(key, version):
    return key, seal(key, HEADER.pack(2**63 + version, 2**63) + b"\x91" + bytes([version]))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A store of some hundred rows, written several times: its file and record, and its right answer."""
    folder = tmp_path_factory.mktemp("store") / "whole"
    store = LmdbStore(folder, create=True)
    for version in range(5):
        state = ViewState(definition="d", source="s", watermark=version, row_format=ROW_FORMAT)
        rows = [row_of(key, version) for key in KEYS[version:100]]
        store.write("v", [*rows, (KEYS[110], tombstone(KEYS[110], 1))], state, replace=version == 2)
        store.write("w", [row_of(key, version) for key in KEYS[:3]], state, replace=False)
    assert lmdb_file.fault_of(folder, trusted=False) is None
    files = ((folder / name).read_bytes() for name in ("data.mdb", "checked.json"))
    return (*files, answer_of(store))


def damaged(folder, written, data):
    """Write a store of these bytes, with the record of the whole store."""
    folder.mkdir(exist_ok=True)
    (folder / "data.mdb").write_bytes(data)
    record = json.loads(written[1])
    record[0] = (folder / "data.mdb").stat().st_ino
    (folder / "checked.json").write_text(json.dumps(record))


def code_of(folder, right):
    """Open and ask a store in a process of its own: 0 is the right answer, 1 a wrong one, 2 our error."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            code = int(answer_of(LmdbStore(folder)) != right)
        except StoreError as error:
            code = 2 if HEALS in str(error) else 4
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_store_with_a_flipped_bit_or_a_lost_end_never_answers_wrongly(written, tmp_path_factory):
    """Whichever bit of the file is flipped, or however many bytes are left: an error, or the right answer."""
    data, _, right = written
    seen = set()

    @given(
        st.one_of(
            st.tuples(st.just("flip"), st.integers(0, 8 * 200 - 1)),
            st.tuples(st.just("flip"), st.integers(0, 8 * len(data) - 1)),
            st.tuples(st.just("cut"), st.integers(0, len(data) - 1)),
        )
    )
    @examples(14)
    def check(damage):
        kind, place = damage
        changed = bytearray(data)
        if kind == "flip":
            changed[place // 8] ^= 1 << place % 8
        else:
            del changed[place:]
        folder = tmp_path_factory.mktemp("damaged")
        damaged(folder, written, bytes(changed))
        code = code_of(folder, right)
        assert code in (0, 2)
        seen.add(code)

    check()
    assert 2 in seen


@pytest.mark.parametrize("place", ["a value", "a key", "a state", "the root"])
def test_each_part_of_the_file_is_guarded(written, tmp_path, place):
    """One flipped bit of a row, a key or a state is named; so is a first page that names another root."""
    data, _, right = written
    if place == "the root":
        newest = max((0, 4096), key=lambda at: int.from_bytes(data[at + 144 : at + 152], "little"))
        changed = data[: newest + 128] + bytes([data[newest + 128] ^ 4]) + data[newest + 129 :]
    else:
        key, row = row_of(KEYS[50], 4)
        state = b'"watermark":4'
        wanted, replacement = {
            "a value": (row, row[:17] + bytes([row[17] ^ 1]) + row[18:]),
            "a key": (key + row, bytes([*key[:-1], key[-1] ^ 128]) + row),
            "a state": (state, state[:-1] + b"5"),
        }[place]
        assert wanted in data
        changed = data.replace(wanted, replacement)
    damaged(tmp_path / "s", written, changed)
    assert code_of(tmp_path / "s", right) == 2


def free_place(data):
    """Return where the free pages of the newest snapshot are listed, in bytes of the file."""
    newest = max(lmdb_check.metas_in(data), key=lambda meta: meta.transaction)
    return newest, lmdb_check.TREE.unpack(newest.free)[-1] * newest.page_bytes


def test_a_change_in_the_list_of_free_pages_is_noticed_before_a_write_uses_it(written, tmp_path):
    """No reader looks at this list. With a wrong number in it, a writer ends by a signal or writes over good pages."""
    data, _, right = written
    newest, start = free_place(data)
    assert lmdb_check.Pages(data, newest).fault() is None
    _, _, lower, upper = lmdb_check.HEAD.unpack_from(data, start)
    # The number of the page, its kind, the places of its entries, and the numbers that each entry lists.
    places = struct.unpack_from(f"={(lower - 16) // 2}H", data, start + 16)
    guarded = [*range(8), 10, 11, *range(16, lower)]
    for place in places:
        size, _, key_bytes = lmdb_check.NODE.unpack_from(data, start + place)
        guarded += range(place + 8 + key_bytes, place + 8 + key_bytes + size)
    assert len(guarded) > upper // 100
    for place in guarded:
        for bit in range(8):
            changed = bytearray(data)
            changed[start + place] ^= 1 << bit
            assert lmdb_check.Pages(bytes(changed), newest).fault() is not None, (place, bit)
    damaged(tmp_path / "s", written, bytes(changed))
    assert code_of(tmp_path / "s", right) == 2


@given(st.data())
@examples(6)
def test_the_pages_of_a_store_that_was_only_written_have_no_fault(data):
    """Long values, many pages, rows that are replaced, and views that are dropped."""
    with TemporaryDirectory() as folder:
        store = LmdbStore(Path(folder), create=True)
        for version in range(1, data.draw(st.integers(2, 8)) + 1):
            view, count = data.draw(st.sampled_from("vw")), data.draw(st.sampled_from([1, 60, 2_000]))
            tail = bytes(data.draw(st.sampled_from([5, 900, 9_000] if count < 100 else [5, 40])))
            keys = [encode_key((number + version,)) for number in range(count)]
            rows = {key: seal(key, row_of(key, version)[1][:-4] + tail) for key in keys}
            if data.draw(st.booleans()):
                store.drop([view])
            state = ViewState(definition="d", source="s", watermark=version, row_format=ROW_FORMAT)
            store.write(view, rows.items(), state, replace=data.draw(st.booleans()))
            assert lmdb_file.fault_of(Path(folder), trusted=False) is None


def test_a_file_that_others_wrote_is_checked_once(written, tmp_path):
    """A copy of a store is checked as it is opened first; from then on it is known."""
    data, _, right = written
    (tmp_path / "data.mdb").write_bytes(data)
    assert answer_of(LmdbStore(tmp_path)) == right
    with (tmp_path / "checked.json").open() as record:
        assert json.load(record)[1] == len(data)


def test_an_open_store_goes_on_with_the_file_that_took_its_place(tmp_path, monkeypatch):
    """Readers and writers that have the old file open answer from the new one, and let the old one go."""
    monkeypatch.setattr(lmdb_adapter, "LOOK_SECONDS", 0.0)
    state = ViewState(definition="d", source="s", watermark=1, row_format=ROW_FORMAT)
    folder, keys = tmp_path / "store", [("v", KEYS[:1])]
    reader, writer = LmdbStore(folder, create=True), LmdbStore(folder)
    for version in range(1, 4):
        if version > 1:
            shutil.rmtree(folder)
            assert reader.read(keys)[0][1] == [row_of(KEYS[0], version - 1)[1]]
            LmdbStore(folder, create=True)
            assert reader.read(keys) == [(None, [None])]
        writer.write("v", [row_of(KEYS[0], version)], state, replace=False)
        assert reader.read(keys) == [(state, [row_of(KEYS[0], version)[1]])]
        assert list(reader.scan("v")) == [row_of(KEYS[0], version)]
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert not [link for link in links if link.startswith(str(folder)) and link.endswith("(deleted)")]


def test_a_server_needs_no_restart_after_its_store_was_healed(shop):
    """What another process wrote in place of the damaged file is served."""
    shop.materialize()
    with running(shop.settings.root) as client:
        assert client.vectors({"customer": 3, "basket": 16.0}).json()["values"][0][0] == 8.0
        path = shop.settings.online / "data.mdb"
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data[:-5000])
        assert run("materialize", "--full", cwd=shop.settings.root).returncode == 0
        at = datetime(2024, 1, 9, 22, tzinfo=UTC)
        row = {"customer": 3, "amount": 9.0, "coupon": None, "event_timestamp": at, "ordered_at": at}
        shop.push("last_order", pl.DataFrame([row]))
        eventually(lambda: client.vectors({"customer": 3, "basket": 16.0}).json()["values"][0][0] == 9.0)


@pytest.mark.parametrize("left", ["a full disk", "a killed process"])
def test_the_record_of_a_check_leaves_no_other_file(tmp_path, left):
    """A disk that is full while it is written, or a process that is killed, leaves nothing that stays."""
    store = LmdbStore(tmp_path, create=True)
    if left == "a full disk":
        (tmp_path / f".checked.json.{os.getpid()}.partial").symlink_to("/dev/full")
    else:
        (tmp_path / ".checked.json.123.partial").write_text("[1, 2")
    state = ViewState(definition="d", source="s", watermark=1, row_format=ROW_FORMAT)
    store.write("v", [row_of(KEYS[0], 1)], state, replace=False)
    names = {path.name for path in tmp_path.iterdir()} - {"checked.json"}
    assert names == {"data.mdb", "lock.mdb"}
    assert LmdbStore(tmp_path).read([("v", KEYS[:1])])[0][1] == [row_of(KEYS[0], 1)[1]]


def flip_value(folder, before, after):
    """Change a value in a store's file, and let the record say that the file is as it was left: the disk did it."""
    path = folder / "data.mdb"
    data = path.read_bytes()
    assert before in data
    path.write_bytes(data.replace(before, after))
    lmdb_file.record(folder)


@pytest.fixture
def rotten(shop):
    """The shop with a store in which 8.0 became 8.5, without a trace in the record."""
    shop.materialize()
    store = shop.settings.online
    # The first bytes of 8.0 and 8.5 in MessagePack.
    flip_value(store, b"\xcb\x40\x20", b"\xcb\x40\x21")
    return featurestore.open(shop.settings.root)


READS = {
    "get_online": lambda shop: shop.get_online([{"customer": 3}], ["last_order:amount"]),
    "reader": lambda shop: shop.reader(["last_order:amount"]).read(
        [{"customer": 3}], as_of=shop.settings.now()
    ),
    "audit": lambda shop: shop.audit(),
    "delete": lambda shop: shop.delete("last_order", pl.DataFrame({"customer": [3]})),
    "release": lambda shop: shop.release(),
}


@pytest.mark.parametrize("path", READS)
def test_every_path_refuses_a_row_that_changed(rotten, path):
    """Also where the file was not checked, because the disk changed it without a trace."""
    with pytest.raises(StoreError, match="damaged") as caught:
        READS[path](rotten)
    assert HEALS in caught.value.hint


@pytest.mark.parametrize("damage", ["truncated", "empty", "a flipped bit", "other bytes"])
def test_the_command_that_the_message_names_heals(shop, damage):
    """A command that reads a damaged store names the file and the fault; the full materialization makes it again."""
    shop.materialize()
    root = shop.settings.root
    get = ("get-online", "buying", "customer=3", "basket=16.0")
    right = run(*get, cwd=root)
    assert right.returncode == 0, right.stderr
    path = shop.settings.online / "data.mdb"
    data = path.read_bytes()
    changes = {
        "truncated": data[:-5000],
        "empty": b"",
        "a flipped bit": data.replace(b"\xcb\x40\x20", b"\xcb\x40\x21"),
        "other bytes": b"x" * len(data),
    }
    path.unlink()
    path.write_bytes(changes[damage])
    refused = run(*get, cwd=root)
    assert refused.returncode == 8
    assert "store.lmdb: the online store is damaged: " in refused.stderr
    assert HEALS in refused.stderr
    assert run("materialize", "--full", cwd=root).returncode == 0
    assert run(*get, cwd=root).stdout == right.stdout


def test_a_store_of_the_former_format_is_written_again(shop):
    """Reads name the command, and the command writes the view in full."""
    shop.materialize()
    store = shop.store()
    state = store.state("last_order")
    former = ViewState(definition=state.definition, source=state.source, watermark=state.watermark)
    store.write("last_order", (), former, replace=False)
    with pytest.raises(SkewError, match="rows of format 1") as caught:
        shop.get_online([{"customer": 3}], ["last_order:amount"])
    assert caught.value.commands == ("featurestore materialize",)
    [done] = shop.materialize().views
    assert done.full
    assert shop.get_online([{"customer": 3}], ["last_order:amount"])["amount"].to_list() == [8.0]


def test_a_damaged_mark_of_a_deleted_key_does_not_outlast_a_full_write():
    """Its version may be greater than that of every later row."""
    mark = tombstone(KEYS[0], 1)
    store = MemoryStore()
    state = ViewState(definition="d", source="s", watermark=1, row_format=ROW_FORMAT)
    store.write("v", [(KEYS[0], b"\xff" + mark[1:])], state, replace=False)
    store.write("v", [(KEYS[0], mark)], state, replace=True)
    assert list(store.scan("v")) == [(KEYS[0], mark)]
