"""The shop (tests/shop.py) and the servers (tests/servers.py) as fixtures."""

import compileall
import gc
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from _pytest.assertion import rewrite
from hypothesis import settings
from servers import postgres_server, redis_server
from shop import build_shop, write_files

import featurestore

TESTS = Path(__file__).parent
# The files that take longest, those of about ten seconds included: at the end only short ones are left.
LONG = (
    "test_readme_flights.py",
    "test_benchmarks.py",
    "test_faults.py",
    "test_readme.py",
    "test_prove.py",
    "test_processes.py",
    "test_determinism.py",
    "test_outage.py",
    "test_clone.py",
    "test_releases.py",
    "test_in_chromium.py",
    "test_adopt.py",
    "test_body_limits.py",
    "test_killed.py",
    "test_typing.py",
    "test_reloads.py",
    "test_window_faults.py",
    "test_check_leaks.py",
    "test_binding.py",
    "test_corruptions.py",
    "test_serving.py",
    "test_datasets.py",
    "test_vocabulary.py",
    "test_uploads.py",
    "test_ray.py",
    "test_feast.py",
    "test_cli.py",
    "test_malformed_bodies.py",
    "test_engines.py",
    "test_push.py",
    "test_openapi.py",
    "test_release_audit.py",
)


# A file system in memory, and the bytes of it that must be free.
MEMORY = "/dev/shm"  # noqa: S108 - each test makes a folder of its own there
FREE = 8 << 30

# A loaded machine is slow: the time of an example says nothing.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


def keep_files_in_memory() -> None:
    """Make temporary files in memory if it has room for them: a disk takes a millisecond for each of many syncs."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    status = os.statvfs(MEMORY)
    # Tests run programs that they write.
    if status.f_bavail * status.f_frsize >= FREE and not status.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = MEMORY


keep_files_in_memory()

# Each command of DVC would report its use over the network, in a Python of its own that takes a second of a processor.
os.environ |= {"DVC_NO_ANALYTICS": "1", "DVC_DAEMON": "1"}


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package once for the many processes that tests start, also where Python writes no bytecode."""
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(featurestore.__file__).parent, quiet=1, workers=0)


def pytest_collection(session: pytest.Session) -> None:
    """Let each process write its share of the tests' bytecode: each reads all tests, and makes what it does not find.

    pytest adds to each assertion what a failure shows, which takes as long as all imports.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is not None and session.config.option.assertmode == "rewrite":
        position = int(worker["workerid"].removeprefix("gw"))
        for path in sorted(TESTS.rglob("test_*.py"))[position :: worker["workercount"]]:
            write_bytecode(path, session.config)


def write_bytecode(path: Path, config: pytest.Config) -> None:
    """Write the bytecode of a test file where pytest looks for it, unless pytest finds it already."""
    written = rewrite.get_cache_dir(path) / f"{path.stem}{rewrite.PYC_TAIL}"
    if rewrite._read_pyc(path, written) is None:
        source_hash, code = rewrite._rewrite_test(path, config)
        if rewrite.try_makedirs(written.parent):
            rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, source_hash, written)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take minutes: at the end, one process would wait for the other."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def pytest_collection_finish() -> None:
    """Leave what is imported by now out of garbage collection: each full one would visit a million objects again."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Let Python free these objects when it exits; libraries would take them for leaked ones."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def template_shop(tmp_path_factory) -> Path:
    """The folder of a shop, validated and built once in each process. Tests get copies of it."""
    return build_shop(write_files(tmp_path_factory.mktemp("template"))).settings.root


@pytest.fixture
def shop_files(tmp_path: Path) -> Path:
    """The shop's files, nothing run yet."""
    return write_files(tmp_path)


@pytest.fixture
def shop(shop_files: Path, template_shop: Path) -> featurestore.Project:
    """The shop, validated and built."""
    return featurestore.open(shutil.copytree(template_shop, shop_files, dirs_exist_ok=True))


@pytest.fixture(scope="module")
def shared_shop(template_shop: Path, tmp_path_factory) -> featurestore.Project:
    """One shop for all tests of a module."""
    return featurestore.open(shutil.copytree(template_shop, tmp_path_factory.mktemp("shop") / "copy"))


@pytest.fixture(scope="module")
def redis_url():
    """The URL of a Redis server for the tests of a module."""
    with redis_server() as url:
        yield url


@pytest.fixture(scope="module")
def postgres_url():
    """The URL of a PostgreSQL server for the tests of a module."""
    with postgres_server() as url:
        yield url
