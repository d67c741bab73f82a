"""What newcomers type: views and features instead of services, words twice, timestamps that are none."""

import json

import pytest
from runner import run, run_steps

import featurestore
from featurestore.errors import ConfigError


@pytest.fixture(scope="module")
def root(shared_shop):
    """The folder of the shop, materialized."""
    shared_shop.materialize()
    return shared_shop.settings.root


def flat(done):
    """The message without the lines of its box."""
    return " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("reference", "words", "features"),
    [
        ("last_order", [], {"amount": 8.0, "coupon": None, "ordered_at": "2024-01-08T00:00:00Z"}),
        ("last_order:amount", [], {"amount": 8.0}),
        ("compared", ["basket=4"], {"ratio": 0.5}),
        ("compared:ratio", ["basket=4"], {"ratio": 0.5}),
    ],
)
def test_a_view_or_a_feature_can_be_looked_up(root, reference, words, features):
    """As with a service; `explain` takes the same names."""
    done = run("get-online", reference, "customer=3", *words, "--json", cwd=root)
    assert done.returncode == 0, done.stderr
    assert {n: cell["value"] for n, cell in json.loads(done.stdout)["features"].items()} == features
    explained = run("explain", reference, "customer=3", *words, "--at", "2024-01-10T00:00:00Z", cwd=root)
    assert (explained.returncode, "1 answer" in explained.stdout) == (0, True)


@pytest.mark.parametrize("reference", ["last_ordr", "last_ordr:amount", "last_order:amnt", "orders"])
def test_an_unknown_name_is_an_error(root, reference):
    """The message names what exists."""
    done = run("get-online", reference, "customer=3", cwd=root)
    assert (done.returncode, done.stdout) == (3, "")
    assert "known:" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["get-online", "buying", "customer=3", "basket=1", "customer=1"],
        ["get-online", "buying", "customer=3", "basket=1", "customer=3"],
        ["explain", "last_order", "customer=3", "customer=1", "--at", "2024-01-10T00:00:00Z"],
        ["delete", "last_order", "customer=3", "customer=1", "--dry-run"],
    ],
)
def test_a_name_that_is_given_twice_is_wrong_usage(root, command):
    """No command takes one of the two values and forgets the other."""
    done = run(*command, cwd=root)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'customer' is given twice, as '3'" in flat(done)


@pytest.mark.parametrize("text", ["yesterday", "2024-01-10", "2024-13-01T00:00:00Z"])
@pytest.mark.parametrize(
    "command",
    [
        ["get-online", "last_order", "customer=3", "--as-of"],
        ["explain", "last_order", "customer=3", "--at"],
        ["materialize", "--until"],
        ["materialize", "--dry-run", "--until"],
    ],
)
def test_a_timestamp_that_cannot_be_read_is_wrong_usage(root, command, text):
    """The message names the option and shows a timestamp that can be read."""
    done = run(*command, text, cwd=root)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Invalid value for {command[-1]}" in flat(done)
    assert "00Z" in flat(done)


def test_ingest_without_origins_says_so(root):
    """It prints a sentence, not an empty line; the JSON document is empty."""
    assert run("ingest", cwd=root).stdout.startswith("no source declares an origin: copy each raw file")
    assert json.loads(run("ingest", "--json", cwd=root).stdout) == {}


def test_a_store_is_not_brought_to_the_future(shop_files):
    """Nobody could read it until then. A project with a fixed time chooses its own; the message says how to come back."""
    run_steps(shop_files, "validate", "build")
    far = ("materialize", "--until", "2999-01-01T00:00:00Z")
    assert run(*far, cwd=shop_files).returncode == 0
    done = run("get-online", "last_order", "customer=3", cwd=shop_files)
    assert (
        done.returncode,
        "featurestore materialize brings the store back" in " ".join(done.stderr.split()),
    ) == (5, True)
    run_steps(shop_files, "materialize")
    assert run("get-online", "last_order", "customer=3", cwd=shop_files).returncode == 0
    settings = shop_files / "feature_repo/feature_store.yaml"
    settings.write_text(settings.read_text().replace("as_of:", "#"))
    for command in (far, (*far, "--dry-run")):
        done = run(*command, cwd=shop_files)
        assert (done.returncode, "is in the future" in flat(done)) == (2, True)
    with pytest.raises(ConfigError, match="is in the future"):
        featurestore.open(shop_files).materialize(until="2999-01-01T00:00:00Z")
    assert run("get-online", "last_order", "customer=3", cwd=shop_files).returncode == 0
