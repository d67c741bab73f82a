"""What was made by other code than is defined now is refused, and the difference is named."""

import json
import os
import subprocess

import forks
import polars as pl
import pytest
from runner import run, run_steps
from serving import ROW, running

import featurestore
from featurestore.errors import SkewError
from featurestore.storage.files import write_parquet
from featurestore.storage.made_by import KEY

SHOP = "feature_repo/shop.py"
VIEW = (
    'return orders.select(\n        "customer", "amount"',
    'return orders.select(\n        "customer", pl.col("amount") * 2',
)
VECTOR = ("buying", "customer=3", "basket=16")
BODY = "body of last_order changed (feature_repo/shop.py)"


def edit(root, before, after, name=SHOP):
    path = root / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def refused(root, *words):
    """Run a command that must be refused; returns what it printed."""
    done = run(*words, cwd=root)
    assert done.returncode == 5, (done.stdout, done.stderr)
    return done.stderr


@pytest.fixture
def trained(shop_files):
    """The shop, with everything made."""
    run_steps(shop_files, "validate", "build", "materialize", "training-set", "audit")
    return shop_files


def read_all(root):
    """Run each command that reads what others made."""
    entity_rows = root / "rows.parquet"
    pushed = root / "pushed.csv"
    shop = featurestore.open(root)
    shop.dataset("last_order").select("customer", "event_timestamp").collect().write_parquet(entity_rows)
    pushed.write_text(
        "customer,event_timestamp,amount,coupon,ordered_at\n9,2024-01-09T00:00:00Z,1,,2024-01-09T00:00:00Z\n"
    )
    return (
        ("materialize",),
        ("training-set",),
        ("explain", *VECTOR, "--at", "2024-01-09T12:00:00Z"),
        ("audit",),
        ("push", "last_order", str(pushed)),
        ("release",),
        ("get-online", *VECTOR),
    )


def test_features_of_other_code_are_refused_until_they_are_built_again(trained):
    """An edited body is named by every command that reads features, store or training set; then one after another fits."""
    commands = read_all(trained)
    edit(trained, *VIEW)
    for words in commands:
        message = refused(trained, *words)
        assert BODY in message, words
        assert "featurestore build last_order" in message, words
    with pytest.raises(SkewError) as caught:
        featurestore.open(trained).historical(trained / "rows.parquet", ["last_order"])
    [difference] = caught.value.differences
    assert (caught.value.definition, difference.kind, difference.name) == (
        "last_order",
        "function",
        "last_order",
    )
    assert caught.value.commands == ("featurestore build last_order",)

    run_steps(trained, "build")
    assert BODY in refused(trained, "get-online", *VECTOR)
    run_steps(trained, "materialize")
    assert run("get-online", *VECTOR, cwd=trained).returncode == 0
    for words in (("audit",), ("release",)):
        assert BODY in refused(trained, *words)
    with pytest.raises(SkewError, match="training set visits") as stopped, running(trained):
        pass
    assert "featurestore training-set visits" in stopped.value.commands
    run_steps(trained, "training-set", "audit", "check-leaks", "release")
    with running(trained) as client:
        assert client.vectors(ROW).json()["values"][0][0] == 16.0


def test_apply_says_what_changed_and_what_follows(trained):
    """The parts that changed are named, then what other definitions made, with the commands in order."""
    run_steps(trained, "apply")
    edit(trained, *VIEW)
    planned = run("apply", "--dry-run", cwd=trained).stdout
    assert f"feature view last_order: {BODY}" in planned
    plan = json.loads(run("apply", "--json", cwd=trained).stdout)
    assert [(item["kind"], item["command"]) for item in plan["outdated"]] == [
        ("feature view", "featurestore build last_order"),
        ("online store", "featurestore materialize"),
        ("training set", "featurestore training-set visits"),
    ]
    # What differs upstream is named there, once.
    assert [change["name"] for change in plan["differences"]] == ["last_order"]
    run_steps(trained, "build", "materialize", "training-set")
    assert run("apply", cwd=trained).stdout == "nothing changed\n"


def test_a_dataset_of_other_code_is_refused_as_input(trained):
    """A source whose contract changed is validated before what reads it is built."""
    edit(trained, "ge=1, description", "ge=2, description", "schemas/shop.py")
    message = refused(trained, "build", "last_order")
    assert "of schema RawOrders" in message
    assert "run: featurestore validate orders" in message
    assert "featurestore validate orders && featurestore build last_order" in refused(trained, "materialize")


def test_a_helper_of_an_on_demand_view_counts_and_a_comment_does_not(shop_files):
    """A helper in another module is followed; comments, docstrings, layout and names of locals are never refused."""
    (shop_files / "feature_repo/scale.py").write_text(
        "def scaled(value):\n    result = value\n    return result\n"
    )
    edit(shop_files, "from schemas.shop", "from .scale import scaled\nfrom schemas.shop")
    edit(shop_files, 'ratio=pl.col("basket") /', 'ratio=scaled(pl.col("basket")) /')
    run_steps(
        shop_files, "validate", "build", "apply", "materialize", "training-set", "check-leaks", "release"
    )
    edit(
        shop_files,
        "    result = value\n    return result\n",
        '    """Return it."""\n    same = (value)  # as is\n    return same\n',
        "feature_repo/scale.py",
    )
    edit(
        shop_files, '    """A customer\'s last order."""\n', '    # The last one counts.\n    """Orders."""\n'
    )
    for words in read_all(shop_files):
        done = run(*words, cwd=shop_files)
        assert done.returncode == 0, (words, done.stderr)
    assert run("apply", cwd=shop_files).stdout == "nothing changed\n"
    edit(shop_files, "return same", "return same * 1000", "feature_repo/scale.py")
    for words in (("audit",), ("release",)):
        assert "body of scaled changed (feature_repo/scale.py)" in refused(shop_files, *words)


def test_a_file_without_a_fingerprint_is_refused(trained):
    """Nobody knows which code made it."""
    path = featurestore.open(trained).layout.features("last_order")
    featurestore.open(trained).dataset("last_order").collect().write_parquet(path)
    assert "run: featurestore build last_order" in refused(trained, "materialize")


def test_features_of_another_package_version_are_refused(trained):
    """The package and both versions are named, and how DVC learns of them."""
    path = featurestore.open(trained).layout.features("last_order")
    recorded = json.loads(pl.read_parquet_metadata(path)[KEY]) | {"digest": "sha256:other"}
    [package] = [part for part in recorded["parts"] if part["name"] == "polars"]
    now = package["value"]
    package |= {"digest": "other", "value": "0.1"}
    write_parquet(pl.read_parquet(path), path, metadata={KEY: json.dumps(recorded)})
    message = refused(trained, "materialize")
    assert f"polars 0.1 -> {now}" in message
    assert "featurestore pipeline --write && dvc repro" in message


def test_equal_code_and_rows_give_equal_bytes(trained):
    """The fingerprint in a file does not change its bytes from build to build."""
    path = featurestore.open(trained).layout.features("last_order")
    before = path.read_bytes()
    edit(trained, '    """A customer\'s last order."""\n', '    """Orders."""  # the last\n')
    run_steps(trained, "validate", "build")
    assert path.read_bytes() == before


def test_every_record_names_the_definitions(trained):
    """Files, store, manifest, records and Feast's registry agree on one digest."""
    run_steps(trained, "apply")
    shop = featurestore.open(trained)
    layout = shop.layout
    digest = shop.store().state("last_order").definition
    [done] = json.loads(layout.materialized.read_text())["views"]
    audit = json.loads(layout.audit.read_text())["definitions"]
    manifest = json.loads(layout.training_manifest("visits").read_text())
    applied = json.loads(layout.registry.read_text())
    assert {digest} == {done["definition"], audit["last_order"], applied["views"]["last_order"]}
    assert audit["buying"] == applied["services"]["buying"] == manifest["definition"]
    assert digest in {part["digest"] for part in manifest["fingerprint"]["upstream"]}


def in_shell(root, *words):
    environment = os.environ | {
        "PATH": forks.search_path(),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def commit(root, message):
    in_shell(root, "git", "add", ".")
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    in_shell(root, "git", *identity, "commit", "--quiet", "-m", message)


def served_amount(root):
    return featurestore.open(root).get_online([{"customer": 3}], ["last_order:amount"])["amount"].to_list()


def test_two_branches_and_a_relative_helper(shop_files):
    """An edited helper makes its stage run; back on the other branch, the store is brought back too."""
    (shop_files / "feature_repo/helper.py").write_text(
        "FACTOR = 1\n\n\ndef scaled(x):\n    return x * FACTOR\n"
    )
    edit(shop_files, "from schemas.shop", "from .helper import scaled\nfrom schemas.shop")
    edit(shop_files, VIEW[0], VIEW[0].replace('"amount"', 'scaled(pl.col("amount"))'))
    featurestore.open(shop_files).pipeline(write=True)
    (shop_files / ".gitignore").write_text("/data/\n__pycache__/\n")
    in_shell(shop_files, "git", "init", "--quiet", "--initial-branch", "main")
    in_shell(shop_files, "dvc", "init", "--quiet")
    in_shell(shop_files, "dvc", "repro", "materialize")
    commit(shop_files, "first")
    assert served_amount(shop_files) == [8.0]

    in_shell(shop_files, "git", "checkout", "--quiet", "-b", "hundredfold")
    edit(shop_files, "FACTOR = 1", "FACTOR = 100", "feature_repo/helper.py")
    in_shell(shop_files, "dvc", "repro", "materialize")
    commit(shop_files, "second")
    assert served_amount(shop_files) == [800.0]

    in_shell(shop_files, "git", "checkout", "--quiet", "main")
    in_shell(shop_files, "dvc", "checkout", "--quiet", "build-last_order")
    message = refused(shop_files, "get-online", *VECTOR)
    assert "constant FACTOR 100 -> 1 in feature_repo/helper.py" in message
    in_shell(shop_files, "dvc", "repro", "materialize")
    assert served_amount(shop_files) == [8.0]
