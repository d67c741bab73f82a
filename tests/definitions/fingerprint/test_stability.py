"""The fingerprint is the same in every process, working directory, checkout and import system."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from grown_shop import FILES, load, write

import featurestore
from featurestore.definitions.catalog import Catalog
from featurestore.definitions.fingerprint import Fingerprint, fingerprint, fingerprint_of
from featurestore.errors import DefinitionError

EVERY = ("raw_orders", "orders", "customer_spending", "compared", "buying", "visits")
SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from grown_shop import load
shop = load(Path(sys.argv[2]))
print(json.dumps({name: shop.fingerprint(name).digest for name in sys.argv[3:]}))
"""
SETS = "RATES = {'EUR': {1, 2, 3}, 'USD': frozenset('abcdef')}\n\n\ndef converted(value):\n    return value * len(RATES['EUR'])\n"


def elsewhere(root: Path, cwd: Path, seed: str) -> dict[str, str]:
    code = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(root), *EVERY]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    return json.loads(
        subprocess.run(code, cwd=cwd, env=environment, capture_output=True, check=True, text=True).stdout
    )


def test_processes_seeds_working_directories_and_checkouts_agree(tmp_path):
    """Two processes with other hash seeds and working directories read two checkouts as one project."""
    roots = [write(tmp_path / name, {"lib/rates.py": SETS}) for name in ("a", "longer_name")]
    assert elsewhere(roots[0], tmp_path, "1") == elsewhere(roots[1], roots[1], "2")


def test_the_folder_of_a_project_does_not_count(state, tmp_path):
    """A copy in another folder, whose modules therefore have other names, has the same fingerprints."""
    shop = state()
    copy = load(write(tmp_path / "a copy"))
    assert copy.definition("orders").function.__module__ != shop.definition("orders").function.__module__
    assert copy.fingerprint("orders").digest == shop.fingerprint("orders").digest


def test_a_fingerprint_is_plain_data(state):
    """JSON gives back an equal fingerprint, and no path in it is absolute."""
    shop = state()
    for name in EVERY:
        fingerprint = shop.fingerprint(name)
        text = msgspec.json.encode(fingerprint)
        assert msgspec.json.decode(text, type=Fingerprint) == fingerprint
        assert str(shop.root).encode() not in text


def test_a_fingerprint_is_computed_once_for_a_catalog(state):
    """Asked again, the same object is returned, also after the files have changed."""
    shop = state()
    known = shop.fingerprint("orders")
    (shop.root / "feature_repo/helper.py").write_text("")
    assert shop.fingerprint("orders") is known


def test_the_state_of_a_running_process_does_not_count(state):
    """A cache that functions fill does not change the fingerprint."""
    shop = state(
        {
            "lib/rates.py": "CACHE = {}\n\n\ndef converted(value):\n    CACHE[len(CACHE)] = 1.5\n    return value\n"
        }
    )
    before = shop.fingerprint("orders").digest
    shop.definition("orders").function.__globals__["scaled"].__globals__["converted"](1)
    again = Catalog(**{field: getattr(shop.catalog, field) for field in vars(shop.catalog)})
    assert fingerprint_of(shop.definition("orders"), again).digest == before


def test_values_of_secrets_are_not_printed(state):
    """A constant with the name of a secret counts, and its value is in no part."""
    shop = state(
        {"lib/rates.py": "HASH_SALT = 'pepper'\n\n\ndef converted(value):\n    return value + HASH_SALT\n"}
    )
    (part,) = [part for part in shop.fingerprint("orders").parts if part.name == "HASH_SALT"]
    assert part.value is None
    assert b"pepper" not in msgspec.json.encode(shop.fingerprint("orders"))


def test_a_declared_value_without_stable_text_is_refused(state):
    """The error names the schema and the place, and says what to use."""
    changes = {
        "schemas/orders.py": FILES["schemas/orders.py"].replace(
            '"tolerance": 0.3', '"tolerance": 0.3, "reader": object()'
        )
    }
    with pytest.raises(DefinitionError, match="schema RawOrders: reader holds a object"):
        state(changes)


def test_a_file_that_cannot_be_read_is_an_error(state, tmp_path):
    """The closure never leaves code out because its file is gone."""
    root = write(tmp_path / "gone")
    shop = load(root)
    (root / "feature_repo/orders.py").write_text("def broken(:\n")
    again = Catalog(**{field: getattr(shop.catalog, field) for field in vars(shop.catalog)})
    with pytest.raises(DefinitionError, match=r"orders\.py: the source cannot be read"):
        fingerprint_of(shop.definition("orders"), again)


def test_the_words_of_a_maturity_do_not_count():
    """Messages may write a duration in other words; the digest of a training set stays."""
    project = featurestore.open(Path(__file__).parents[3])
    parts = fingerprint(project.catalog.training_set("departures")).parts
    [matures] = [part for part in parts if part.name == "matures"]
    assert matures.digest == "ac31b7ce21b874cb"
