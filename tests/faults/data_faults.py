"""Faults of data at rest: training sets, feature files and stores that do not belong together, or that were edited."""

from pathlib import Path

import polars as pl
from market import SALES
from planting import Fault, Plant, both, code, edit
from runner import run

import featurestore
from featurestore.values.codec import CHECKSUM_BYTES, seal

BUILD = (("validate", "sales"), ("build", "account"))
SALE, OTHER_SALE = "80.8,10,8,8.5,new", "88.8,10,8,8.5,new"
OTHER, ORIGINAL = edit(SALES, SALE, OTHER_SALE), edit(SALES, OTHER_SALE, SALE)
TRAINING = "data/training/visits.parquet"


def commands(*steps: tuple[str, ...]) -> Plant:
    """Run commands, each of which succeeds."""

    def plant(folder, _):
        for words in steps:
            done = run(*words, cwd=folder)
            assert done.returncode == 0, done.stderr

    return plant


def while_planted(fault: Plant, plant: Plant) -> Plant:
    """Do something while a fault is in the code, and restore the code."""

    def plant_and_restore(folder, patch):
        with patch.context() as faulty:
            fault(folder, faulty)
            plant(folder, faulty)

    return plant_and_restore


def edited_parquet(name: str, change) -> Plant:
    """Change the rows of a Parquet file, and keep its metadata."""

    def plant(folder, _):
        path = folder / name
        rows, metadata = pl.read_parquet(path), pl.read_parquet_metadata(path)
        path.unlink()
        kept = {key: text for key, text in metadata.items() if key != "ARROW:schema"}
        change(rows).write_parquet(path, metadata=kept)

    return plant


def edited_store(change, root: str = ".") -> Plant:
    """Change the stored rows of the view ``account``, a dictionary of bytes."""

    def plant(folder: Path, _):
        store = featurestore.open(folder / root).store()
        rows = dict(store.scan("account"))
        change(rows)
        store.write("account", rows.items(), store.state("account"), replace=True)

    return plant


def swap(rows):
    """Give each of two keys the row of the other, with a right checksum: only the values tell."""
    first, *_, last = rows
    of_first, of_last = rows[first][:-CHECKSUM_BYTES], rows[last][:-CHECKSUM_BYTES]
    rows[first], rows[last] = seal(first, of_last), seal(last, of_first)


FAULTS = (
    Fault(
        "a training set made by code with a leak",
        while_planted(
            code("timing.join:answers", '"backward"', '"nearest"'), commands(("training-set", "visits"))
        ),
        "audit",
        since="audit",
    ),
    Fault(
        "an edited training file",
        edited_parquet(TRAINING, lambda rows: rows.with_columns(units=pl.col("units") + 1)),
        "audit",
        since="audit",
    ),
    Fault(
        "a label edited in a training file",
        edited_parquet(TRAINING, lambda rows: rows.with_columns(bought=~pl.col("bought"))),
        "audit",
        since="audit",
    ),
    Fault(
        "a training file that lost a row",
        edited_parquet(TRAINING, lambda rows: rows.slice(1)),
        "audit",
        since="audit",
    ),
    Fault("features built from other data than the training set", OTHER, "audit"),
    Fault(
        "features of another branch beside the store",
        both(OTHER, commands(*BUILD)),
        "audit",
        since="audit",
    ),
    Fault(
        "a store of another branch beside the features",
        both(OTHER, commands(*BUILD, ("materialize",)), ORIGINAL, commands(*BUILD)),
        "audit",
        since="audit",
    ),
    Fault("a stored row lost", edited_store(lambda rows: rows.popitem()), "audit", since="audit"),
    Fault("two stored rows swapped", edited_store(swap), "audit", since="audit"),
    Fault(
        "a row of the served release lost",
        edited_store(lambda rows: rows.popitem(), "data/releases/current"),
        "replay",
        since="serve",
    ),
    Fault(
        "a view left behind",
        commands(("materialize", "branch_hour", "--until", "2024-01-09T12:00:00Z")),
        "audit",
        since="audit",
    ),
    Fault(
        "a store ahead of the clock",
        commands(("materialize", "--until", "2024-01-12T00:00:00Z")),
        "audit",
        since="audit",
    ),
)
