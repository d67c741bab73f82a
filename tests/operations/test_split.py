"""A training set that declares a split says in which part each row is, and what each part holds."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest
from logged import log_answers
from msgspec import structs
from runner import run
from shop import FILES

import featurestore
from featurestore import random_sample, random_split, time_split, training_set, undersample
from featurestore.definitions.fingerprint import differences, fingerprint
from featurestore.errors import ContractError, DefinitionError, SkewError, StoreError, UnknownNameError
from featurestore.operations.training_set.frozen_splits import split_changes
from featurestore.splits.check import require_free_names
from featurestore.splits.declare import RandomSplit
from featurestore.splits.measure import EntityOverlap, SplitError

DECORATOR = '@training_set(service=buying, label="bought", owner="shop"'
SPLIT = 'random_split(validation=0.2, test=0.2, seed=1, by="customer")'
LABEL = "bought=pl.lit(True)"


def split_visits(
    shop, split: str, label: str = "bought=pl.col('order') % 3 == 0", more: str = ""
) -> featurestore.Project:
    """Declare a split of the shop's visits."""
    root = shop.settings.root
    text = FILES["feature_repo/shop.py"]
    assert DECORATOR in text
    assert LABEL in text
    text = text.replace(DECORATOR, f"{DECORATOR}, split={split}{more}").replace(LABEL, label)
    text = text.replace(
        "source, training_set", "source, training_set, random_split, time_split, oversample, random_sample"
    )
    (root / "feature_repo/shop.py").write_text(text)
    return featurestore.open(root)


def many_visits(shop, split: str, more: str = "") -> featurestore.Project:
    """Give the shop 60 orders of 20 customers, one an hour, and split their visits."""
    root = split_visits(shop, split, more=more).settings.root
    lines = [f"{n},{n % 20 + 1},2024-01-0{n // 24 + 1}T{n % 24:02}:00:00Z,,{n}.5," for n in range(60)]
    (root / "data/raw/orders.csv").write_text(
        "\n".join(["order,customer,ordered_at,loaded_at,amount,coupon", *lines, ""])
    )
    project = featurestore.open(root)
    project.validate("orders")
    project.build("last_order")
    return project


def test_rows_carry_their_split(shop):
    """The column comes after the entity rows; parts, classes, digests and seeds are in the manifest, groups in one part."""
    project = many_visits(shop, SPLIT)
    manifest = project.training_set("visits")
    rows = project.read("visits")
    assert rows.columns[:6] == ["basket", "customer", "event_timestamp", "bought", "split", "amount"]
    assert manifest.split == (RandomSplit(0.2, 0.2, 1, ("customer",)),)
    assert list(manifest.splits) == ["train", "validation", "test"]
    for name, part in manifest.splits.items():
        kept = rows.filter(split=name)
        assert part.rows == kept.height > 0
        assert part.labels == {
            "False": kept.filter(bought=False).height,
            "True": kept.filter(bought=True).height,
        }
        assert (part.first, part.last) == (kept["event_timestamp"].min(), kept["event_timestamp"].max())
    assert rows.group_by("customer").agg(pl.col("split").n_unique())["split"].unique().to_list() == [1]
    assert manifest.splits["test"].entity_overlap == (EntityOverlap(("customer",), 0.0),)
    assert manifest == project.training_manifest("visits")
    assert "split" in project.quality.profile("visits").columns
    project.materialize()
    assert project.audit().mismatches == 0


def test_the_command_shows_the_split_and_its_overlap(shop):
    """Rows and classes of each split, and a warning for an entity or a time on both sides; `by` ends the first."""
    root = many_visits(
        shop, 'random_split(validation=0.2, test=0.2, seed=1, stratify="bought")'
    ).settings.root
    done = run("training-set", "visits", cwd=root)
    assert done.returncode == 0, done.stderr
    assert "train: 3" in done.stdout
    assert "bought: False " in done.stdout
    assert "warning: rows of test have an entity that is also in train: a customer (" in done.stdout
    assert "of the train rows are later than the first test row" in done.stdout
    text = (root / "feature_repo/shop.py").read_text()
    (root / "feature_repo/shop.py").write_text(text.replace('stratify="bought"', 'by="customer"'))
    done = run("training-set", "visits", cwd=root)
    assert "have an entity" not in done.stdout
    assert "of the train rows are later than" in done.stdout


def test_validation_and_test_are_frozen(shop):
    """A build says which of them changed and by what; a change without a cause is refused, and the set stays."""
    project = many_visits(shop, SPLIT)
    first = project.training_set("visits")
    changes = []
    assert project.training_set("visits", on_split_change=changes.append) == first
    assert changes == []
    orders = project.settings.root / "data/raw/orders.csv"
    orders.write_text(
        orders.read_text() + "".join(f"{n},{n},2024-01-04T00:00:00Z,,1,\n" for n in range(70, 90))
    )
    project.validate("orders")
    project.build("last_order")
    done = run("training-set", "visits", cwd=project.settings.root)
    assert "visits: warning: validation changed since the last build (" in done.stdout
    assert "by another version of orders, last_order" in done.stdout
    orders.write_text(orders.read_text() + "99,1,2024-01-05T00:00:00Z,,1,\n")
    project.validate("orders")
    [record] = json.loads(run("training-set", "visits", "--json", cwd=project.settings.root).stdout)
    changed = {change["split"]: change["causes"] for change in record["split_changes"]}
    assert list(changed.values()) == [["version of orders"]]
    assert record["warnings"] == list(project.training_manifest("visits").warnings)
    # The former manifest names other rows of the same data.
    manifest = project.layout.training_manifest("visits")
    digest = project.training_manifest("visits").splits["test"].digest
    manifest.write_text(manifest.read_text().replace(digest, first.splits["test"].digest))
    with pytest.raises(
        SkewError, match=r"test changed from sha256:.* but its definition and its data did not"
    ):
        project.training_set("visits")
    manifest.write_text("{")
    with pytest.raises(StoreError, match=r"so validation and test cannot be compared with the last build"):
        project.training_set("visits")
    manifest.unlink()
    assert project.training_set("visits").splits["test"].digest == digest


def test_the_clock_is_a_cause_only_if_labels_matured(shop):
    """A time that was asked for, or that another count of rows is known at, is one; a later clock is none."""
    before = many_visits(shop, SPLIT).training_set("visits", as_of="2024-01-05T00:00:00Z")
    later = structs.replace(before, as_of=datetime(2024, 1, 6, tzinfo=UTC))
    part = structs.replace(before.splits["test"], digest="sha256:other")
    later = structs.replace(later, splits={**before.splits, "test": part}, inputs={"orders": "sha256:other"})
    [by_data] = split_changes(before, later)
    assert by_data.causes == ("version of orders",)
    [at_a_time] = split_changes(before, later, at_given_time=True)
    assert at_a_time.causes == ("as_of", "version of orders")
    [matured] = split_changes(before, structs.replace(later, immature=1))
    assert matured.causes == ("as_of", "version of orders")


def test_validation_and_test_are_compared_with_what_is_served(shop):
    """A split is a dataset of its own for drift; the build reports its drift to the answers of the last days."""
    project = many_visits(shop, SPLIT)
    project.training_set("visits")
    assert project.split_drift("visits") == {}
    project.materialize()
    log_answers(project.settings.root, *([1] * 300))
    drifts = project.split_drift("visits")
    assert {name: drift.rows[1] for name, drift in drifts.items()} == {"validation": 300, "test": 300}
    rows = project.training_manifest("visits").splits["test"].rows
    assert project.quality.drift("visits:test", "served:buying").rows == (rows, 300)
    [record] = json.loads(run("training-set", "visits", "--json", cwd=project.settings.root).stdout)
    assert {name: drift["severity"] for name, drift in record["split_drift"].items()} == {
        name: drift.severity for name, drift in drifts.items()
    }
    done = run("training-set", "visits", cwd=project.settings.root)
    assert "visits: drift from test to the 300 vectors served in the last days is major: " in done.stdout
    with pytest.raises(UnknownNameError, match="no split named 'tset' in training set 'visits'"):
        project.quality.drift("visits:tset", "served:buying")


def test_a_split_by_time_counts_the_gap(shop):
    """Rows of the gap, and rows whose label was not known when test began, are in no split and are counted."""
    split = 'time_split(test_from="2024-01-03T00:00:00Z", gap="3h")'
    project = many_visits(shop, split)
    manifest = project.training_set("visits")
    assert (manifest.rows, manifest.left_out, manifest.warnings) == (58, {"gap": 2}, ())
    assert (manifest.splits["train"].rows, manifest.splits["test"].rows) == (47, 11)
    assert manifest.splits["test"].first == datetime(2024, 1, 3, tzinfo=UTC)
    done = run("training-set", "visits", cwd=project.settings.root)
    assert "  2 rows left out: in the gap before a later split" in done.stdout


def test_a_label_that_matures_makes_the_gap(shop):
    """Without a gap, the maturity of the label is the gap."""
    split = 'time_split(test_from="2024-01-03T00:00:00Z")'
    project = many_visits(shop, split, more=", matures=timedelta(hours=5)")
    assert project.training_set("visits").left_out == {"gap": 4}


def test_a_class_that_a_split_lacks(shop):
    """The set is refused, and the one on disk stays."""
    project = many_visits(shop, SPLIT)
    digest = project.training_set("visits").digest
    project = split_visits(project, SPLIT, label="bought=pl.col('order') == 1")
    with pytest.raises(
        SplitError, match=r"training set 'visits': split '.*' lacks 1 value of 'bought': True"
    ):
        project.training_set("visits")
    assert project.training_manifest("visits").digest == digest


def test_a_sample_without_a_class_is_refused(shop):
    """A model cannot learn a class of which the sample has no row; a stratified sample has one of each."""
    project = many_visits(shop, "None", ", sample=random_sample(share=0.02, seed=1)")
    with pytest.raises(
        SplitError, match=r"the sample of train lacks 1 value of 'bought': \w+; it has 1 of 60"
    ) as caught:
        project.training_set("visits")
    assert (caught.value.split, caught.value.column, caught.value.rows) == ("train", "bought", {"train": 1})
    project = split_visits(shop, "None", more=', sample=random_sample(share=0.02, seed=1, stratify="bought")')
    assert project.training_set("visits").labels == {"False": 1, "True": 1}


def test_a_sample_keeps_and_repeats_rows_of_train_alone(shop):
    """Train has equal classes; validation and test keep each row once; the manifest has prior, counts and seed."""
    unsampled = many_visits(shop, SPLIT).training_set("visits")
    project = many_visits(shop, SPLIT, more=", sample=oversample(seed=3)")
    manifest = project.training_set("visits")
    rows = project.read("visits")
    assert rows.columns[4:8] == ["split", "weight", "is_repeated", "amount"]
    before, train = unsampled.splits["train"], manifest.splits["train"]
    assert set(train.labels.values()) == {max(before.labels.values())}
    assert {n: p.rows for n, p in manifest.splits.items() if n != "train"} == {
        n: p.rows for n, p in unsampled.splits.items() if n != "train"
    }
    copies = rows.filter("is_repeated")
    assert copies["split"].unique().to_list() == ["train"]
    sampled = manifest.sampled
    assert manifest.sample.seed == 3
    assert (sampled.rows_before, sampled.rows, sampled.repeated) == (before.rows, train.rows, copies.height)
    assert sampled.prior == {value: count / before.rows for value, count in before.labels.items()}
    # Copies of rows are not counted.
    assert sum(manifest.train_statuses["amount"].values()) == before.rows
    assert manifest.train_statuses["amount"].get("NULL_VALUE", 0) == (
        rows.filter(~pl.col("is_repeated"), split="train")["amount"].null_count()
        - manifest.train_statuses["amount"].get("NOT_FOUND", 0)
    )
    assert rows.filter(split="train")["weight"].sum() == pytest.approx(before.rows)
    project.materialize()
    assert project.audit().mismatches == 0
    done = run("training-set", "visits", cwd=project.settings.root)
    assert (
        f"sample: train has {train.rows} rows, was {before.rows}; {copies.height} repeated; bought before: "
        in done.stdout
    )


def test_copies_do_not_enter_the_online_store(shop, tmp_path):
    """A row that a sample repeated is refused by a push, from a frame and from a file."""
    rows = pl.DataFrame(
        {"customer": [1, 2], "event_timestamp": [datetime(2024, 1, 9, tzinfo=UTC)] * 2, "amount": [1.0, 2.0]}
    ).with_columns(coupon=pl.lit("X"), ordered_at="event_timestamp", is_repeated=pl.Series([False, True]))
    shop.materialize()
    rows.write_csv(tmp_path / "rows.csv")
    for pushed in (rows, tmp_path / "rows.csv"):
        with pytest.raises(ContractError, match="1 row of a sample are marked 'is_repeated'"):
            shop.push("last_order", pushed)
    assert shop.push("last_order", rows[:1]).rows == 1


@pytest.mark.parametrize(
    ("sample", "error", "message"),
    [
        ("oversampel", UnknownNameError, "did you mean 'oversample'"),
        (0.5, DefinitionError, r"sample is 0\.5; expected random_sample\(\.\.\.\)"),
        (random_sample(share=0.5, seed=1, by="custmer"), UnknownNameError, "did you mean 'customer'"),
        (random_sample(share=0.5, seed=1, by="basket"), DefinitionError, "cannot hash 'basket'"),
    ],
)
def test_a_sample_that_does_not_fit(shared_shop, sample, error, message):
    """A strategy that does not exist, or does not fit the schema, is refused at definition; the nearest is named."""
    visits = shared_shop.catalog.training_set("visits")
    with pytest.raises(error, match=message):
        training_set(service=visits.service, label="bought", owner="shop", sample=sample)(visits.function)


def test_a_label_without_classes_and_a_name_that_is_taken(shared_shop):
    """Classes need a label of text, booleans or integers; a schema with a column `weight` is refused."""
    visits = shared_shop.catalog.training_set("visits")
    with pytest.raises(DefinitionError, match="label 'basket' is Float64, which has no classes"):
        training_set(service=visits.service, label="basket", owner="shop", sample=undersample(seed=1))(
            visits.function
        )
    with pytest.raises(DefinitionError, match="training set 'x': 'weight' is a column or a feature"):
        require_free_names("training set 'x'", ["split", "weight"], ["weight", "amount"])


def test_the_split_is_part_of_the_definition(shop):
    """Another seed or column makes another training set, and the difference is named."""
    fingerprints = [
        fingerprint(split_visits(shop, split).catalog.training_set("visits"))
        for split in (SPLIT, SPLIT.replace("seed=1", "seed=2"), SPLIT.replace(', by="customer"', ""))
    ]
    assert len({f.digest for f in fingerprints}) == 3
    [difference] = differences(*fingerprints[:2])
    assert "seed=1" in difference.text
    assert "seed=2" in difference.text


@pytest.mark.parametrize(
    ("split", "error", "message"),
    [
        (
            "random_spilt",
            UnknownNameError,
            "no split strategy named 'random_spilt'.*\n.*did you mean 'random_split'",
        ),
        (0.2, DefinitionError, "split is 0.2; expected random_split"),
        ((), DefinitionError, "split is empty"),
        (random_split(test=0.2, seed=1, by="custmer"), UnknownNameError, "did you mean 'customer'"),
        (random_split(test=0.2, seed=1, stratify="bougt"), UnknownNameError, "did you mean 'bought'"),
        (random_split(test=0.2, seed=1, by="bought"), DefinitionError, "groups by the label 'bought'"),
        (
            random_split(test=0.2, seed=1, by="basket"),
            DefinitionError,
            "cannot hash 'basket', which is Float64",
        ),
        (
            (random_split(test=0.2, validation=0.1, seed=1), time_split(test_from="2024-01-01T00:00:00Z")),
            DefinitionError,
            "different splits: train, validation, test and train, test",
        ),
    ],
)
def test_a_split_that_does_not_fit(shared_shop, split, error, message):
    """A strategy that does not exist, or does not fit the schema, is refused at definition; the nearest is named."""
    visits = shared_shop.catalog.training_set("visits")
    declare = training_set(service=visits.service, label="bought", owner="shop", split=split)
    with pytest.raises(error, match=message):
        declare(visits.function)
