"""A process that read the definitions before they changed writes nothing by them."""

import polars as pl
import pytest

import featurestore
from featurestore.errors import DefinitionError, SkewError

VIEW, SCHEMA = "feature_repo/shop.py", "schemas/shop.py"
TTL = "ttl=timedelta(days=5)"
WRITES = {
    "validate": lambda project: project.validate("orders"),
    "build": lambda project: project.build("last_order"),
    "training_set": lambda project: project.training_set("visits"),
    "apply": lambda project: project.apply(),
    "pipeline": lambda project: project.pipeline(write=True),
    "run": lambda project: project.run(),
}


def edit(project, name, before, after):
    """Replace a text in a file of a project, after the project was read."""
    assert project.catalog.nodes
    path = project.settings.root / name
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def files(project):
    """Return when each file of the project was written."""
    root = project.settings.root
    paths = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(root): path.stat().st_mtime_ns for path in paths}


@pytest.mark.parametrize("write", WRITES)
def test_what_is_written_by_a_former_definition_is_refused(shop, write):
    """The error names what changed and the file; nothing is written. Opened again, the project writes."""
    edit(shop, SCHEMA, '"tolerance": 0.5', '"tolerance": 0.6')
    before = files(shop)
    with pytest.raises(SkewError, match="changed after this process read it") as caught:
        WRITES[write](shop)
    assert "start this process again: it read schemas/shop.py" in caught.value.hint
    assert caught.value.differences
    assert files(shop) == before
    if write == "validate":
        WRITES[write](featurestore.open(shop.settings.root))


def test_a_definition_that_did_not_change_is_written(shop):
    """Comments, and definitions on which it does not depend, do not count."""
    edit(shop, SCHEMA, "class RawOrders", "# a comment\nclass RawOrders")
    edit(shop, VIEW, TTL, "ttl=timedelta(days=6)")
    shop.validate("orders")
    with pytest.raises(SkewError, match="feature view 'last_order' changed after this process read it"):
        shop.build("last_order")


def test_what_is_no_longer_defined_is_not_written(shop):
    """So is what cannot be read any more."""
    edit(shop, VIEW, "def visits(", "def visitors(")
    with pytest.raises(SkewError, match="training set 'visits' is no longer defined; nothing was written"):
        shop.training_set("visits")
    edit(shop, VIEW, "def visitors(", "def visitors((")
    with pytest.raises(DefinitionError, match=r"shop\.py"):
        shop.build("last_order")


@pytest.mark.parametrize("write", ["push", "delete", "materialize"])
def test_a_write_of_built_rows_is_refused_once_the_new_definition_built_them(shop, write):
    """Until then the rows, and all that is written with them, are of the former definition."""
    shop.materialize()
    [order] = shop.dataset("last_order").collect().head(1).to_dicts()
    do = {
        "push": lambda: shop.push("last_order", pl.DataFrame([order]).with_columns(amount=pl.lit(1.5))),
        "delete": lambda: shop.delete("last_order", pl.DataFrame({"customer": [3]})),
        "materialize": shop.materialize,
    }[write]
    edit(shop, VIEW, TTL, "ttl=timedelta(days=6)")
    do()
    featurestore.open(shop.settings.root).build("last_order")
    with pytest.raises(SkewError) as caught:
        do()
    assert "start this process again: it read feature_repo/shop.py" in caught.value.hint
