"""A real browser for the tests: Chromium without a window, driven over its own protocol, with a profile of its own.

A machine without it skips its tests with the reason; where FEATURESTORE_REQUIRE_SERVERS is set, as in CI, they fail.
"""

import base64
import json
import subprocess
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import requests
from servers import program
from serving import eventually
from websockets.sync.client import connect

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
KEYS = {"Tab": 9, "Enter": 13, " ": 32}


class Page:
    """A tab of the browser. What it asked the network for, and what it complained of, is kept."""

    def __init__(self, socket):
        self._socket, self._numbers = socket, count(1)
        self.requests, self.complaints, self._loads = [], [], 0
        for domain in ("Page", "Network", "Log", "Runtime", "Accessibility"):
            self.send(f"{domain}.enable")

    def send(self, method, **parameters):
        """Say something to the browser, and wait for the answer to it."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._hear(message)

    def _hear(self, message):
        if message["method"] == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        elif message["method"] in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.complaints.append(message["params"])
        elif message["method"] == "Page.loadEventFired":
            self._loads += 1

    def show(self, path, *, width=1280, height=900, dark=False):
        """Load a file, in a window of a size, on a system set to light or dark."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        with self._loading():
            self.send("Page.navigate", url=Path(path).resolve().as_uri())

    def follow(self, link):
        """Focus a link, press Enter, and wait for the page that it leads to."""
        self.run(f'document.querySelector("{link}").focus()')
        with self._loading():
            self.press("Enter")

    @contextmanager
    def _loading(self):
        before = self._loads
        yield
        eventually(lambda: self.run("document.readyState") == "complete" and self._loads > before)

    def run(self, script):
        """Evaluate JavaScript in the page; gives its value."""
        return self.send("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def press(self, key):
        """Press a key, as a person does."""
        event = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        text = {"Enter": {"text": "\r"}, " ": {"text": " "}}.get(key, {})
        self.send("Input.dispatchKeyEvent", type="keyDown", **event, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def picture(self, path, *, full_page=True):
        """Take a picture of the page (or of what the window shows of it)."""
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=full_page)
        if full_page:
            size = self.send("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
            shot = self.send("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        Path(path).write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def chromium():
    """Run Chromium; gives a tab."""
    command = program("chromium", needs="chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [command, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            port_file = Path(profile, "DevToolsActivePort")
            eventually(lambda: port_file.exists() and port_file.read_text().count("\n"))
            tabs = f"http://127.0.0.1:{port_file.read_text().split()[0]}/json/list"
            address = next(t for t in requests.get(tabs, timeout=30).json() if t["type"] == "page")
            with connect(address["webSocketDebuggerUrl"], max_size=None, proxy=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()
            process.wait(timeout=30)
