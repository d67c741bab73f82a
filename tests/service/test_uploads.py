"""Limits of uploads: size, time, number; and nothing remains of an upload that fails."""

import select
import shutil
import signal
import socket
import threading
import time
from contextlib import ExitStack, suppress

import requests
from serving import eventually, running
from shop import ORDERS
from uploading import GOOD, HEAD, ROW, head, send, uploads

from featurestore.service.runtime.uploads import CONCURRENCY, KEPT, QUEUE


def test_nothing_remains_of_a_body_that_is_too_large_or_incomplete(shop):
    """A body may be declared, streamed or cut off; other requests keep their own limit."""
    shop.materialize()
    with running(shop.settings.root, max_upload=len(ORDERS), max_bytes=100) as client:
        assert send(client, ORDERS).status_code == 200
        assert send(client, ORDERS + "x").status_code == 413
        assert send(client, iter([ORDERS.encode(), b"x"])).status_code == 413
        assert (
            client.post("/v1/vectors/buying", {"rows": [{"customer": 3, "basket": 1.0}] * 9}).status_code
            == 413
        )
        path = "/v1/datasets/orders/history/validate"
        assert requests.post(client.url + path, data="x" * 200, timeout=30).status_code == 413
        for cut in (0, 10, 150):
            with socket.create_connection(("127.0.0.1", client.port)) as connection:
                connection.sendall(head(len(ORDERS)) + ORDERS.encode()[:cut])
                # The upload has started once its folder exists.
                eventually(lambda: len(uploads(shop.settings.root)) == 2)
            eventually(lambda: len(uploads(shop.settings.root)) == 1)


def steadily(seconds):
    """Yield good rows, one after the other, for some seconds."""
    yield HEAD.encode()
    end, order = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        order += 1
        yield ROW.replace("1,", f"{order},", 1).encode()
        threading.Event().wait(0.02)


def test_a_body_may_take_longer_than_a_request_but_not_pause_longer(shop):
    """An upload has its own time limit."""
    shop.materialize()
    with running(shop.settings.root, timeout=1.0) as client:
        assert send(client, steadily(1.5)).json()["verdict"]["decision"] == "passed"
        with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
            connection.sendall(head(100) + b"order")
            paused = connection.recv(10_000)
        assert paused.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in paused
    with running(shop.settings.root, timeout=1.0, upload_timeout=1.2) as client:
        late = send(client, steadily(2.0))
        assert (late.status_code, late.json()["error"]["kind"]) == (503, "TimedOut")
    assert len(uploads(shop.settings.root)) == 1


def test_uploads_beyond_the_limit_get_503(client, shop):
    """A place is free again as soon as an upload ends."""
    slow = [socket.create_connection(("127.0.0.1", client.port)) for _ in range(CONCURRENCY + QUEUE)]
    for connection in slow:
        connection.sendall(head(100) + b"order")
    eventually(lambda: len(uploads(shop.settings.root)) == len(slow))
    busy = send(client, GOOD)
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
    assert client.vectors({"customer": 3, "basket": 16.0}).status_code == 200
    for connection in slow:
        connection.close()
    eventually(lambda: uploads(shop.settings.root) == [])
    assert send(client, GOOD).status_code == 200


def test_a_caller_who_leaves_frees_the_place_of_the_validation(shop):
    """The process that validates its body is killed, and its files are gone, long before the time-out."""
    shop.materialize()
    with running(shop.settings.root) as client, ExitStack() as stack:
        assert send(client, GOOD).status_code == 200
        validators = client.state.validators
        stopped = set(validators._all)
        for validator in stopped:
            validator._process.send_signal(signal.SIGSTOP)
            stack.callback(validator._process.send_signal, signal.SIGCONT)
        with socket.create_connection(("127.0.0.1", client.port)) as connection:
            connection.sendall(head(len(GOOD)) + GOOD.encode())
            eventually(lambda: stopped - set(validators._idle), "no process validates")
        [killed] = eventually(lambda: stopped - validators._all, "the validation goes on")
        assert killed._process.wait() == -signal.SIGKILL
        eventually(lambda: len(uploads(shop.settings.root)) == 1, "files remain")
    with running(shop.settings.root) as client:
        assert send(client, GOOD).status_code == 200


def test_slow_uploads_do_not_hold_all_places(shop):
    """Each sends a byte from time to time, so that none of them pauses. A new upload takes the place of the slowest."""
    shop.materialize()
    with running(shop.settings.root, timeout=1.0) as client, ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", client.port), timeout=20))
            for _ in range(CONCURRENCY + QUEUE)
        ]
        for connection in slow:
            connection.sendall(head(100_000) + b"order")
        done = threading.Event()

        def trickle():
            while not done.wait(0.1):
                for connection in slow:
                    with suppress(OSError):
                        connection.sendall(b"x")

        sender = threading.Thread(target=trickle)
        sender.start()
        try:
            eventually(lambda: len(uploads(shop.settings.root)) == len(slow))
            eventually(lambda: send(client, GOOD).status_code == 200, "slow uploads held all places")
        finally:
            done.set()
            sender.join()
        answers = [connection.recv(10_000) for connection in select.select(slow, [], [], 20)[0]]
        assert b"others wait for its place" in answers[0]


def test_the_last_uploads_of_a_dataset_are_kept(client, shop):
    """The oldest uploads are removed."""
    ids = [send(client, ORDERS).json()["id"] for _ in range(KEPT + 2)]
    assert uploads(shop.settings.root) == ids[2:] == sorted(ids[2:])


def test_a_folder_that_cannot_be_written_is_an_error_of_the_server(client, shop):
    """Uploads work again as soon as the folder can be written."""
    folder = shop.settings.root / "data/uploads"
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("in the way")
    answer = send(client, GOOD)
    assert (answer.status_code, answer.json()["error"]["kind"]) == (500, "StoreError")
    folder.unlink()
    assert send(client, GOOD).status_code == 200
