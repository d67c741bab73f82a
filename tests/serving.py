"""A real server on a free port of loopback, in a thread of the test's process."""

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
    """Asks a server."""

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
    """Wait until something holds that is told beside the requests; fail if it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to hold"


@contextmanager
def running(root, **options):
    """Run a server of the project in `root`; when it ends, all it has to write is written."""
    port = free_port()
    told = Options(root=str(root), port=port, **{"log_requests": False, **options})
    app = create_app(told)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, **settings(told))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    client = Client(f"http://127.0.0.1:{port}", port, app.state)
    while not server.started and thread.is_alive():
        thread.join(0.01)
    try:
        yield client
    finally:
        server.should_exit = True
        thread.join()
