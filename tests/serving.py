"""A real server on a free port of the loopback interface, in a thread of the test's process."""

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

import requests
import uvicorn
from servers import free_port

from featurestore.service.app import create_app
from featurestore.service.run import settings
from featurestore.service.runtime.options import Options

ROW = {"customer": 3, "basket": 16.0}


@dataclass
class Client:
    """A client of a running server."""

    url: str
    port: int
    state: object
    key: str | None = None

    def post(self, path, body):
        return requests.post(self.url + path, json=body, headers=self.headers, timeout=30)

    def get(self, path):
        return requests.get(self.url + path, headers=self.headers, timeout=30)

    def vectors(self, *rows, service="buying", request_id=None, **others):
        url = f"{self.url}/v1/vectors/{service}"
        headers = self.headers | ({} if request_id is None else {"x-request-id": request_id})
        return requests.post(url, json={"rows": list(rows), **others}, headers=headers, timeout=30)

    @property
    def headers(self):
        return {} if self.key is None else {"authorization": f"Bearer {self.key}"}


def eventually(holds, seconds=30):
    """Wait until a condition holds that no answer reports; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "the condition never held"


@contextmanager
def in_thread(app, port, **config):
    """Run an ASGI application in a thread, from the time when it answers until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, **config))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def running(root, **options):
    """Run a server of the project in `root`. When the block ends, the server has written all its files."""
    port = free_port()
    server_options = Options(root=str(root), port=port, **{"log_requests": False, **options})
    app = create_app(server_options)
    with in_thread(app, port, **settings(server_options)) as url:
        yield Client(url, port, app.state)
