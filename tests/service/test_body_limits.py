"""Bodies that are small when they are sent and large when they are read: each is refused, and lookups go on."""

import io
import json
import signal
import struct

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from serving import ROW, eventually, running
from uploading import BODIES, GOOD, TYPED, send, uploads

from featurestore.adapters.bodies import ARROW_FILE, ARROW_STREAM, CSV, JSON_LINES, PARQUET
from featurestore.service.runtime.validators import _Validator

MIB = 1 << 20
ZSTD = b"\x28\xb5\x2f\xfd"
ORDER = {
    "order": 1,
    "customer": 1,
    "ordered_at": "2024-01-01T00:00:00Z",
    "loaded_at": None,
    "amount": 1.5,
    "coupon": "",
}
SCHEMA = TYPED.to_arrow().schema


def table(rows, **columns):
    """Return the first orders, repeated to a number of rows, with some columns replaced."""
    first = TYPED.head(1).to_arrow()
    repeated = {name: pa.repeat(first[name][0], rows) for name in first.column_names}
    return pa.table({**repeated, **columns})


def ipc(data, *, stream=True, compression="zstd"):
    """Return a table in Arrow's IPC format."""
    out = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(out, data.schema, options=options) as writer:
        writer.write_table(data)
    return out.getvalue()


def parquet(data, **options):
    """Return a table as a Parquet file."""
    out = io.BytesIO()
    pq.write_table(data, out, compression="zstd", **options)
    return out.getvalue()


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def nulls(count):
    """Return a table with more rows than it has bytes."""
    return pa.table({name: pa.nulls(count) for name in SCHEMA.names})


def repeated_text(rows, length):
    """Return a table with one long text in each row, held once."""
    return table(
        rows, coupon=pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * length])
    )


# The server of these tests allows 8 MiB unpacked, 64 KiB in a line, and 100 columns.
BOMBS = {
    "csv of commas": (CSV, lambda: b"," * (2 * MIB), "a row has more than 65,536 bytes"),
    "csv of quotes": (CSV, lambda: b'"' * (2 * MIB), "a row has more than 65,536 bytes"),
    "csv with a long row": (
        CSV,
        lambda: GOOD.encode() + b"9," + b"x" * MIB + b"\n",
        "a row has more than 65,536",
    ),
    "csv with many columns": (
        CSV,
        lambda: b",".join(b"a%d" % i for i in range(5_000)) + b"\n1\n",
        "5,000 columns",
    ),
    "csv with a long name": (CSV, lambda: b"x" * 60_000 + b"\n1\n", "60,000 bytes"),
    "json with a new key in each line": (
        JSON_LINES,
        lambda: lines({f"k{i}": 1} for i in range(20_000)),
        "line 101: the lines have 101 different keys; expected at most 100",
    ),
    "json with many keys": (
        JSON_LINES,
        lambda: lines([{f"k{i}": 1 for i in range(5_000)}]),
        "5,000 different keys",
    ),
    "json of one line": (JSON_LINES, lambda: b"[" + b"1," * MIB, "line 1 has more than 65,536 bytes"),
    "json nested too deep": (
        JSON_LINES,
        lambda: b'{"order":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        "more than 65,536",
    ),
    "json nested": (
        JSON_LINES,
        lambda: b'{"order":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        "cannot be read",
    ),
    "arrow of zeros": (
        ARROW_STREAM,
        lambda: ipc(table(200_000)),
        "decompresses to more than 8,388,608 bytes",
    ),
    "arrow file of zeros": (
        ARROW_FILE,
        lambda: ipc(table(200_000), stream=False),
        "decompresses to more than",
    ),
    "arrow dictionary": (
        ARROW_STREAM,
        lambda: ipc(repeated_text(10_000, 1_000)),
        "decompresses to more than",
    ),
    "arrow of nulls": (ARROW_STREAM, lambda: ipc(nulls(10**9)), "decompresses to more than"),
    "arrow with many columns": (
        ARROW_STREAM,
        lambda: ipc(pa.table({f"c{i}": [1] for i in range(2_000)})),
        "expected at most 100",
    ),
    "arrow with many fields": (
        ARROW_FILE,
        lambda: ipc(table(1, coupon=[{f"c{i}": 1 for i in range(500)}]), stream=False),
        "expected at most 100",
    ),
    "parquet dictionary": (
        PARQUET,
        lambda: parquet(repeated_text(1_000, 100_000)),
        "decompresses to more than",
    ),
    "parquet runs": (PARQUET, lambda: parquet(table(300_000)), "decompresses to more than"),
    "parquet with many columns": (
        PARQUET,
        lambda: parquet(pa.table({f"c{i}": [1] for i in range(2_000)})),
        "expected at most 100",
    ),
}
LIMITS = {"max_unpacked": 8 * MIB, "max_line": 65_536, "max_columns": 100, "upload_memory": 768 * MIB}


@pytest.fixture(scope="module")
def server(shared_shop):
    """A server of one shop for all tests of this file."""
    shared_shop.materialize()
    with running(shared_shop.settings.root, **LIMITS) as client:
        yield client
    assert not client.state.validators._all


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_body_beyond_a_limit_is_refused_with_the_limit(server, shared_shop, bomb):
    """The answer names the limit, nothing remains, and the process that read the body still lives."""
    media, body, message = BOMBS[bomb]
    send(server, GOOD)
    before = [validator._process.pid for validator in server.state.validators._all]
    kept = uploads(shared_shop.settings.root)
    answer = send(server, body(), media)
    assert (answer.status_code, message in answer.text) == (422, True), answer.text
    assert [validator._process.pid for validator in server.state.validators._all] == before
    assert uploads(shared_shop.settings.root) == kept


def test_columns_that_the_contract_lacks_are_refused_before_they_are_unpacked(server):
    """The whole body would be beyond the limit; its schema is wrong already."""
    extra = table(200_000, other=pa.repeat("x" * 50, 200_000))
    for body, media in ((ipc(extra), ARROW_STREAM), (parquet(extra), PARQUET)):
        answer = send(server, body, media)
        assert (answer.status_code, "has unexpected 'other'" in answer.text) == (422, True), answer.text


def test_memory_beyond_the_limit_ends_a_process_and_no_lookup(server):
    """A buffer declares two gigabytes: the answer is 413, the next body is validated, and vectors are the same."""
    before = server.vectors(ROW).json()["values"]
    good = ipc(table(1_000))
    buffer = good.index(ZSTD)
    bomb = good[: buffer - 8] + struct.pack("<q", 2 << 30) + good[buffer:]
    answer = send(server, bomb, ARROW_STREAM)
    assert answer.status_code == 413, answer.text
    assert "needs more than 805,306,368 bytes of memory" in answer.text
    assert server.vectors(ROW).json()["values"] == before
    assert send(server, good, ARROW_STREAM).status_code == 200


@pytest.mark.parametrize("media", [PARQUET, ARROW_STREAM, ARROW_FILE])
def test_a_body_that_lies_about_its_lengths_is_refused(server, media):
    """Each four bytes that could be a length are made large or negative; the server goes on."""
    good = BODIES[media]
    for lie in (b"\xff\xff\xff\x01", b"\xff\xff\xff\xff"):
        for place in range(4, len(good) - 4, max(4, len(good) // 8)):
            answer = send(server, good[:place] + lie + good[place + 4 :], media)
            assert answer.status_code in (200, 413, 422), (place, answer.text)
    assert send(server, good, media).status_code == 200


def test_a_parquet_footer_that_lies_is_refused(server):
    """It names more bytes than the file has."""
    good = BODIES[PARQUET]
    for length in (0, 1, len(good), 2**31 - 1, 2**32 - 1):
        answer = send(server, good[:-8] + struct.pack("<I", length) + b"PAR1", PARQUET)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "ContractError"), answer.text


def test_a_body_that_is_encoded_is_refused(server):
    """A bomb of gzip or zstd is never unpacked."""
    for encoding in ("gzip", "zstd", "br", "deflate, gzip"):
        answer = send(server, b"\x1f\x8b" * 50, CSV, **{"content-encoding": encoding})
        assert answer.status_code == 415


def test_large_rows_within_the_limits_are_validated(server):
    """The limits are inclusive for what is in use."""
    rows = pl.DataFrame([ORDER | {"order": i, "coupon": "x" * 1_000} for i in range(5_000)])
    for media, body in ((CSV, rows.write_csv().encode()), (JSON_LINES, rows.write_ndjson().encode())):
        answer = send(server, body, media)
        assert (answer.status_code, answer.json()["verdict"]["decision"]) == (200, "passed"), answer.text


def test_a_time_out_ends_the_validation_and_frees_its_place(shop):
    """A check that never ends holds no thread: the process is killed, its files are gone, and the next body is validated."""
    shop.materialize()
    with running(shop.settings.root) as client:
        assert send(client, GOOD).status_code == 200
        validators = set(client.state.validators._all)
    with running(shop.settings.root, timeout=2.0, upload_timeout=2.0) as client:
        for validator in validators:
            validator._process.send_signal(signal.SIGSTOP)

        def killed():
            """Send a body; on a slow machine its time may be over before a process has it."""
            late = send(client, GOOD)
            assert (late.status_code, late.json()["error"]["kind"]) == (503, "TimedOut")
            return validators - client.state.validators._all

        [dead] = eventually(killed, "no process was killed")
        eventually(lambda: len(uploads(shop.settings.root)) == 1, "files remain")
        assert dead._process.wait() == -signal.SIGKILL
        for validator in validators - {dead}:
            validator._process.send_signal(signal.SIGCONT)
    with running(shop.settings.root) as client:
        assert send(client, GOOD).status_code == 200


def test_a_large_server_keeps_its_process(shop):
    """The memory of the server that starts a process does not count as that of the process."""
    shop.materialize()
    ballast = bytearray(b"x") * (900 * MIB)
    with running(shop.settings.root) as client:
        assert send(client, GOOD).status_code == 200
        validators = set(client.state.validators._all)
        assert send(client, GOOD).status_code == 200
        assert len(validators) == 1
        assert client.state.validators._all == validators
    assert ballast[-1:] == b"x"


def test_a_process_ends_with_its_server():
    """A server that is killed leaves none behind."""
    validator = _Validator(768 * MIB)
    validator._socket.close()
    assert validator._process.wait(60) == 0


def test_a_definition_that_was_changed_after_the_start_is_not_used(shop):
    """A process that starts later would read other contracts than the server's: the answer says so."""
    shop.materialize()
    with running(shop.settings.root) as client:
        schemas = shop.settings.root / "schemas/shop.py"
        schemas.write_text(schemas.read_text().replace("ge=1, description", "ge=0, description"))
        answer = send(client, GOOD)
    assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "SkewError")
    assert "start the server again" in answer.text
