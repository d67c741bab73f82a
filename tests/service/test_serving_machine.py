"""A serving machine has the packages of requirements/serve.txt alone, and answers as any other machine."""

import json
import os
import re
import shutil
from importlib.metadata import distribution

import pytest
from serving import ROW, serve_process
from serving_machine import INSTALLED, ROOT, SERVE, linked_machine, pins, serving_machine
from shop import FILES, build_shop, write_files

ABSENT = {"feast", "dvc", "duckdb", "pandas", "matplotlib", "pyarrow", "rich"}
MAX_PACKAGES = 30
# The view and the source need packages that a serving machine does not have; one module has another name than its package.
VIEW = FILES["feature_repo/shop.py"]
LATE_IMPORTS = '''
    """A customer's last order."""
    import scipy
    from dateutil import parser

    if not (scipy and parser):
        return orders'''
NEEDS_MORE = (
    VIEW.replace('\n    """A customer\'s last order."""', LATE_IMPORTS)
    .replace(
        '"data/raw/orders.csv", owner',
        '"data/raw/orders.csv", origin=PackageFile("duckdb", "orders.csv"), owner',
    )
    .replace("import (\n    Entity,", "import (\n    Entity, PackageFile,")
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A serving machine."""
    return serving_machine(tmp_path_factory.mktemp("machine") / "packages")


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A released shop, made where everything is installed."""
    root = write_files(tmp_path_factory.mktemp("shop"))
    (root / "feature_repo/shop.py").write_text(NEEDS_MORE)
    project = build_shop(root)
    project.materialize()
    project.release()
    return project


def test_the_lock_is_short_and_agrees_with_the_whole_one():
    """It has at most 30 packages, each in a version that requirements.txt locks, with hashes and without an index."""
    text, project_pins = SERVE.read_text(), pins(ROOT / "requirements.txt")
    locked = pins(SERVE)
    assert 20 < len(locked) <= MAX_PACKAGES
    assert {name: versions for name, versions in locked.items() if versions != project_pins.get(name)} == {}
    assert not re.search(r"https?://|--index|--find-links", text)
    blocks = re.findall(r"^[a-z].*?(?=^[a-z#]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert all("--hash=sha256:" in block for block in blocks)
    assert not locked.keys() & ABSENT


def test_the_server_answers_as_where_everything_is_installed(released, machine):
    """Lookups, documentation, uploads and pushes need none of the packages that are absent."""
    root = released.settings.root
    expected = released.get_online([ROW], "buying").row(0, named=True)
    with serve_process(root, python=machine.python, env=machine.env) as server:
        answer = server.session.post(f"{server.url}/v1/vectors/buying", json={"rows": [ROW]}, timeout=30)
        assert answer.json()["release"] == "0001"
        values = dict(zip(answer.json()["features"], answer.json()["values"][0], strict=True))
        assert values["ratio"] == expected["ratio"]
        assert server.session.get(f"{server.url}/docs", timeout=30).status_code == 200
        orders = (root / "data/raw/orders.csv").read_bytes()
        validate = f"{server.url}/v1/datasets/orders/validate"
        verdict = server.session.post(
            validate, data=orders, headers={"content-type": "text/csv"}, timeout=30
        ).json()
        assert verdict["verdict"]["rows_quarantined"] == 1
        parquet = {"content-type": "application/vnd.apache.parquet"}
        refused = server.session.post(validate, data=b"PAR1", headers=parquet, timeout=30)
        assert refused.status_code == 415
        assert refused.json()["error"]["hint"].endswith("text/csv, application/x-ndjson")
        pushed = {
            "customer": [9],
            "event_timestamp": ["2024-01-09T00:00:00Z"],
            "created_timestamp": [None],
            "amount": [4.0],
            "coupon": [None],
            "ordered_at": ["2024-01-09T00:00:00Z"],
        }
        body = {"push_source_name": "last_order", "df": pushed}
        assert server.session.post(f"{server.url}/push", json=body, timeout=30).status_code == 200


CALLS = """
import json, sys
import featurestore
from featurestore.errors import MissingPackageError

project = featurestore.open(sys.argv[1])
answer = project.reader("buying").read([{"customer": 3, "basket": 16.0}], as_of=project.settings.now())
entity_rows = "SELECT 3 AS customer, 16.0 AS basket, TIMESTAMPTZ '2024-01-09 00:00:00Z' AS event_timestamp"
import polars as pl
rows = pl.DataFrame({"customer": [3], "basket": [16.0], "event_timestamp": [project.settings.now()]})
calls = {
    "sql": lambda: project.historical(entity_rows, "buying"),
    "join": lambda: project.historical(rows, "buying"),
    "apply": project.apply,
    "revision": lambda: project.quality.compare("last_order@HEAD", "last_order"),
}
missing = {}
for name, call in calls.items():
    try:
        call()
    except MissingPackageError as error:
        missing[name] = [error.package, error.requirement]
print(json.dumps({"values": answer.values, "missing": missing, "modules": sorted(sys.modules)}, default=str))
"""


def test_the_reader_reads_and_other_calls_name_what_they_need(released, machine):
    """One error names the package and what to install; nothing else fails, and nothing absent is imported."""
    root = released.layout.releases / "current"
    done = machine.run("-c", CALLS, root)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["values"][0][0] == 8.0
    assert printed["missing"] == {
        "sql": ["duckdb", "featurestore"],
        "join": ["pyarrow", "featurestore"],
        "apply": ["feast", "featurestore"],
        "revision": ["dvc", "featurestore"],
    }
    assert not {name.partition(".")[0] for name in printed["modules"]} & ABSENT


def test_a_command_that_needs_more_says_what_to_install(released, machine):
    """The message and the exit code are those of settings; `--help` needs no Rich."""
    done = machine.run("-m", "featurestore.cli", "apply", "--project", released.settings.root)
    assert done.returncode == 7
    assert "Feast's registry needs the package feast, which is not installed" in done.stderr
    assert "pip install 'featurestore'" in done.stderr
    usage = machine.run("-m", "featurestore.cli", "key", "--help")
    assert "Make an API key" in usage.stdout


def test_a_machine_with_another_version_of_a_package_that_computes_is_refused(released, machine, tmp_path):
    """The server names both versions, and the one to install."""
    packages = shutil.copytree(machine.packages, tmp_path / "packages", symlinks=True)
    [metadata] = packages.glob("pandera-*.dist-info")
    text = (metadata / "METADATA").read_text()
    version = distribution("pandera").version
    metadata.rename(packages / "pandera.former")
    (packages / "pandera-0.1.0.dist-info").mkdir()
    changed = text.replace(f"Version: {version}", "Version: 0.1.0", 1)
    (packages / "pandera-0.1.0.dist-info/METADATA").write_text(changed)
    changed_machine = linked_machine(packages, machine.env)
    done = changed_machine.run("-m", "featurestore.cli", "serve", "--project", released.settings.root)
    assert done.returncode == 5
    assert f"pandera {version} -> 0.1.0" in done.stderr
    assert f"pip install pandera=={version}" in done.stderr


@pytest.mark.skipif(INSTALLED not in os.environ, reason="`make serving` installs requirements/serve.txt")
def test_an_installed_machine_is_small(machine):
    """30 packages and featurestore, in at most 350 MB."""
    names = {path.name.partition("-")[0] for path in machine.packages.glob("*.dist-info")} - {"pip"}
    assert len(names - {"featurestore", "setuptools"}) == len(pins(SERVE)) <= MAX_PACKAGES
    files = [path for path in machine.packages.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 350_000_000
