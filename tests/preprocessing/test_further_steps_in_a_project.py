"""Embedding, predicted values and blocks in a project: what serving, the audit, the pipeline and releases know of them."""

import shutil

import msgspec
import polars as pl
import pytest
import yaml
from fitted_shop import ROW, with_steps

import featurestore
from featurestore.errors import ContractError, DefinitionError, SkewError
from featurestore.preprocessing.state import StateFile
from featurestore.storage.fitted import write_state
from featurestore.storage.made_by import metadata_of
from tests.faults.planting import code
from tests.laws import DEPTH

TABLE = '''

@dataset(owner="shop")
def coupon_vectors(orders: Frame[RawOrders]) -> Frame[CouponVectors]:
    """A vector of each coupon, and of none."""
    coupons = orders.select(coupon=pl.col("coupon").fill_null("none")).unique()
    length = pl.col("coupon").str.len_bytes().cast(pl.Float64)
    vectors = coupons.select("coupon", vector=pl.concat_list(length, length * 0.1)).sort("coupon")
    return vectors.with_row_index("number").cast({"number": pl.Int64}).sort("number", descending=True)


'''
SCHEMA = '''

class CouponVectors(pa.DataFrameModel):
    """Coupons, unique by a column that no step reads."""

    number: pl.Int64 = pa.Field(unique=True, description="number")
    coupon: pl.String = pa.Field(unique=True, description="name")
    vector: pl.List(pl.Float64) = pa.Field(description="vector")
'''
STEPS = """
    preprocessing.impute("constant", columns="coupon", fill_value="none"),
    preprocessing.embedding("coupon", table=coupon_vectors, key="coupon", vector="vector", unknown="refuse"),
    preprocessing.impute_predicted("amount", by="ratio", min_rows=1, indicator=True),
    preprocessing.impute("mean", columns=["ratio"]),
    preprocessing.cycle("day", columns="ordered_at"),
    preprocessing.stack({"coupon": "coupon", "numbers": preprocessing.numeric(), "time": ["ordered_at"]}),
"""
BLOCKS = {"coupon": slice(0, 2), "numbers": slice(2, 5), "time": slice(5, 7)}


@pytest.fixture(scope="module")
def shared(template_shop, tmp_path_factory):
    """A shop with these steps, fitted and materialized, that no test changes."""
    root = with_steps(shutil.copytree(template_shop, tmp_path_factory.mktemp("steps") / "shop"), STEPS)
    schemas, views = root / "schemas/shop.py", root / "feature_repo/shop.py"
    schemas.write_text(schemas.read_text() + SCHEMA)
    text = views.read_text().replace("import Basket,", "import Basket, CouponVectors,")
    text = text.replace("    preprocessing,\n", "    dataset, preprocessing,\n")
    views.write_text(
        text.replace("buying = feature_service(", f"{TABLE.strip()}\n\n\nbuying = feature_service(")
    )
    project = featurestore.open(root)
    project.build("coupon_vectors")
    project.training_set("visits")
    project.materialize()
    return project


@pytest.fixture
def project(shared, tmp_path):
    return featurestore.open(shutil.copytree(shared.settings.root, tmp_path / "shop"))


def edit_state(project, change):
    """Write a changed state in place of that of the shop: `change` takes and returns the fitted steps."""
    path = project.layout.fitted("buying")
    state = msgspec.json.decode(path.read_bytes(), type=StateFile).state
    write_state(msgspec.structs.replace(state, steps=tuple(change(*state.steps))), path)


def change_table(project, change):
    """Write other rows of the table, as a build from other raw data would."""
    path = project.layout.dataset("coupon_vectors")
    node = project.catalog.node("coupon_vectors")
    change(pl.read_parquet(path)).write_parquet(path, metadata=metadata_of(node))


def test_the_vector_has_the_blocks_in_their_order(shared):
    """Each block has all columns of its features, and all is compiled."""
    names = shared.service("buying").feature_names
    vector = shared.get_online([ROW], "buying")

    assert names == (
        *("coupon_0", "coupon_1"),
        *("amount", "missingindicator_amount", "ratio"),
        *("ordered_at_day_sin", "ordered_at_day_cos"),
    )
    assert tuple(vector.columns[-7:]) == names
    assert vector.select("coupon_0", "coupon_1").row(0) == (4.0, 0.4)
    assert vector["amount"].null_count() == 0
    assert shared.uncompiled() == {}


def test_the_reader_of_arrays_shows_the_blocks(shared):
    """A slice of each block cuts it out of the matrix; named features have no blocks."""
    data = shared.read_training_set("visits")
    arrays = data.numpy()

    assert data.blocks == arrays.blocks == next(data.batches(2)).blocks == BLOCKS
    assert arrays.names[BLOCKS["time"]] == ("ordered_at_day_sin", "ordered_at_day_cos")
    assert arrays.X[:, BLOCKS["coupon"]].tolist() == [[4.0, 0.4]] * len(arrays.X)
    assert shared.read_training_set("visits", features=["amount"]).blocks == {}


def test_a_release_audits_and_serves_without_the_project(project):
    """Every path serves what training has; the release carries the state and the table that it is fitted to again."""
    expected = project.get_online([ROW], "buying")
    project.release()
    shutil.rmtree(project.layout.dataset("coupon_vectors").parent)
    released = featurestore.open(project.layout.releases / "0001")

    assert released.get_online([ROW], "buying").equals(expected)
    assert released.audit().mismatches == 0


def test_the_audit_names_a_table_that_changed(project):
    """Served vectors stay as they are; the audit compares the digests, and names the table and the command."""
    before = project.get_online([ROW], "buying")
    change_table(project, lambda rows: rows.with_columns(vector=pl.concat_list(pl.lit(9.5), pl.lit(8.5))))

    record = project.audit()

    assert project.get_online([ROW], "buying").equals(before)
    difference = record.differences[0]
    assert difference.feature == "coupon, table coupon_vectors"
    assert difference.online.startswith("sha256:")
    assert difference.online != difference.offline
    value = record.differences[1]
    assert value.feature.startswith("coupon, embedding(")
    assert value.feature.endswith(": vectors[0][0] and 3 other values")
    assert (value.online, value.offline) == ("6.0", "9.5")
    assert "featurestore training-set visits" in record.commands


def test_the_audit_finds_an_edited_state(project):
    """A number that is not of the table, although the digest is the one of the table."""

    def change(impute, embedding, *steps):
        edited = msgspec.structs.replace(embedding.columns["coupon"], vectors=((6.0, 9.0), (0.6, 0.9)))
        return impute, msgspec.structs.replace(embedding, columns={"coupon": edited}), *steps

    edit_state(project, change)

    assert project.audit().differences[0].feature.startswith("coupon, embedding(")


FAULTS = {
    "the keys of a table in another order": code(
        "preprocessing.embedding:Embedding._read", "table.rows.sort(self.key)", "table.rows.reverse()"
    ),
    "another value of a tree": code(
        "preprocessing.predict:_leaf", "mean_and_variance(values).mean", "mean_and_variance(values).mean * 2"
    ),
    "another digest of a table": code(
        "operations.training_set.fit:table_rows", "digest_of(read)", '"sha256:0"'
    ),
    "a block in another order": code(
        "preprocessing.stack:Stack.arranged", "for feature in features", "for feature in features[::-1]"
    ),
}


@pytest.mark.parametrize("fault", list(FAULTS)[1::2] if DEPTH == 1 else list(FAULTS))
def test_the_audit_finds_a_fault_that_came_after_training(shared, monkeypatch, fault):
    """What fits again has the fault; the audit names the column and the step, the table, or the blocks."""
    FAULTS[fault](shared.settings.root, monkeypatch)

    assert (
        shared.audit()
        .differences[0]
        .feature.startswith(("coupon, ", "amount, impute_predicted(", "blocks, stack("))
    )


def test_a_table_is_part_of_the_definition(project):
    """A changed function of the table makes the state one of another definition, and the error names the table."""
    path = project.settings.root / "feature_repo/shop.py"
    path.write_text(path.read_text().replace("length * 0.1", "length * 0.2"))

    with pytest.raises(SkewError, match="coupon_vectors"):
        featurestore.open(project.settings.root).get_online([ROW], "buying")


def test_the_pipeline_builds_the_table_first(shared):
    """The stages of the training set and of the audit depend on its rows, and the manifest has their digest."""
    stages = yaml.safe_load(shared.pipeline())["stages"]
    path = "data/datasets/coupon_vectors.parquet"

    assert path in stages["training-set-visits"]["deps"]
    assert path in stages["audit"]["deps"]
    assert "coupon_vectors" in shared.training_manifest("visits").inputs
    assert shared.timeless().unproven == ("coupon_vectors",)


def test_a_table_of_no_project_is_refused(shop_files):
    """A feature view has a row for each time: it is not a table of vectors."""
    steps = 'preprocessing.embedding("coupon", table=last_order, key="coupon", vector="amount")'

    with pytest.raises(
        DefinitionError, match="the table 'last_order' of a step is neither a source nor a dataset"
    ):
        featurestore.open(with_steps(shop_files, steps)).check()


def test_a_row_without_a_vector_is_refused(project):
    """By every read; the audit and `prove` leave such rows out."""
    assert project.prove(cases=1).differences == ()

    def change(impute, embedding, *steps):
        fewer = msgspec.structs.replace(
            embedding.columns["coupon"], categories=("SPRING",), vectors=((6.0,), (0.6,))
        )
        return impute, msgspec.structs.replace(embedding, columns={"coupon": fewer}), *steps

    edit_state(project, change)

    with pytest.raises(ContractError, match="1 of 1 row refused, because 'coupon' has no value"):
        project.get_online([ROW], "buying")
    with pytest.raises(ContractError, match="1 of 1 row refused"):
        project.reader("buying").read([ROW], as_of=project.settings.now())
    assert {difference.path for difference in project.audit().differences} == {"fitted state"}
