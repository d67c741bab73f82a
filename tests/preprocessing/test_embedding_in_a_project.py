"""A step that reads a table of the project: what the audit, the pipeline, releases and `prove` know about the table."""

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

TABLE = '''

@dataset(owner="shop")
def coupon_vectors(orders: Frame[RawOrders]) -> Frame[CouponVectors]:
    """A vector of each coupon, and of none."""
    coupons = orders.select(coupon=pl.col("coupon").fill_null("none")).unique()
    length = pl.col("coupon").str.len_bytes().cast(pl.Float64)
    return coupons.select("coupon", vector=pl.concat_list(length, length * 0.1)).sort("coupon")


'''
SCHEMA = '''

class CouponVectors(pa.DataFrameModel):
    """Coupons."""

    coupon: pl.String = pa.Field(unique=True, description="name")
    vector: pl.List(pl.Float64) = pa.Field(description="vector")
'''
STEPS = """
    preprocessing.impute("constant", columns="coupon", fill_value="none"),
    preprocessing.embedding("coupon", table=coupon_vectors, key="coupon", vector="vector", unknown="{}"),
    preprocessing.impute("mean", columns=["amount", "ratio"]),
"""


def declared(root, unknown="mean"):
    """Declare a table of the shop, and a step that reads it."""
    with_steps(root, STEPS.format(unknown))
    schemas, views = root / "schemas/shop.py", root / "feature_repo/shop.py"
    schemas.write_text(schemas.read_text() + SCHEMA)
    text = views.read_text().replace("import Basket,", "import Basket, CouponVectors,")
    text = text.replace("    preprocessing,\n", "    dataset, preprocessing,\n")
    views.write_text(
        text.replace("buying = feature_service(", f"{TABLE.strip()}\n\n\nbuying = feature_service(")
    )
    return root


@pytest.fixture(scope="module")
def template(template_shop, tmp_path_factory):
    """A shop with a step that reads a table, fitted and materialized."""
    folder = tmp_path_factory.mktemp("embedded") / "shop"
    project = featurestore.open(declared(shutil.copytree(template_shop, folder)))
    project.build("coupon_vectors")
    project.training_set("visits")
    project.materialize()
    return folder


@pytest.fixture
def project(template, tmp_path):
    return featurestore.open(shutil.copytree(template, tmp_path / "shop"))


def change_table(project, change):
    """Write other rows of the table, as a build from other raw data would."""
    path = project.layout.dataset("coupon_vectors")
    node = project.catalog.node("coupon_vectors")
    change(pl.read_parquet(path)).write_parquet(path, metadata=metadata_of(node))


def test_every_path_serves_the_vector_of_the_table(project):
    """Compiled, and the same bits as training has."""
    audit = project.audit()
    vector = project.get_online([ROW], "buying")

    assert (audit.mismatches, project.uncompiled()) == (0, {})
    assert vector.select("coupon_0", "coupon_1").row(0) == (4.0, 0.4)
    assert project.read_training_set("visits").features[1:3] == ("coupon_0", "coupon_1")


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
    assert "featurestore training-set visits" in record.commands


def test_the_audit_finds_a_vector_that_is_not_of_the_table(project):
    """A number of the state that no table has, although its digest is the one of the table."""
    path = project.layout.fitted("buying")
    state = msgspec.json.decode(path.read_bytes(), type=StateFile).state
    impute, step, *others = state.steps
    edited = msgspec.structs.replace(step.columns["coupon"], vectors=((6.0, 9.0), (0.6, 0.9)))
    changed = (impute, msgspec.structs.replace(step, columns={"coupon": edited}), *others)
    write_state(msgspec.structs.replace(state, steps=changed), path)

    assert "coupon, embedding(" in project.audit().differences[0].feature


@pytest.mark.parametrize(
    ("target", "before", "after"),
    [
        ("preprocessing.embedding:Embedding._read", "table.rows.sort(self.key)", "table.rows.reverse()"),
        ("operations.fit:table_rows", "digest_of(read)", '"sha256:0"'),
    ],
)
def test_the_audit_finds_a_fault_that_came_after_training(project, monkeypatch, target, before, after):
    """A fit that reads the table in another way."""
    code(target, before, after)(project.settings.root, monkeypatch)

    assert project.audit().mismatches


def test_a_table_is_part_of_the_definition(project):
    """A changed function of the table makes the state one of another definition, and the error names the table."""
    path = project.settings.root / "feature_repo/shop.py"
    path.write_text(path.read_text().replace("length * 0.1", "length * 0.2"))

    with pytest.raises(SkewError, match="coupon_vectors"):
        featurestore.open(project.settings.root).get_online([ROW], "buying")


def test_the_pipeline_builds_the_table_first(project):
    """The stages of the training set and of the audit depend on its rows, and the manifest has their digest."""
    stages = yaml.safe_load(project.pipeline())["stages"]
    path = "data/datasets/coupon_vectors.parquet"

    assert path in stages["training-set-visits"]["deps"]
    assert path in stages["audit"]["deps"]
    assert "coupon_vectors" in project.training_manifest("visits").inputs


def test_a_release_serves_without_the_table(project):
    """It carries the state, which holds the vectors."""
    expected = project.get_online([ROW], "buying")
    project.release()
    released = featurestore.open(project.layout.releases / "0001")

    assert released.get_online([ROW], "buying").equals(expected)


def test_a_table_of_no_project_is_refused(shop_files):
    """A feature view has a row for each time: it is not a table of vectors."""
    steps = 'preprocessing.embedding("coupon", table=last_order, key="coupon", vector="amount")'

    with pytest.raises(
        DefinitionError, match="the table 'last_order' of a step is neither a source nor a dataset"
    ):
        featurestore.open(with_steps(shop_files, steps)).check()


def test_a_service_that_refuses_is_audited_proven_and_served(template_shop, tmp_path):
    """The audit and `prove` leave refused rows out; every path refuses a row whose category has no vector."""
    project = featurestore.open(declared(shutil.copytree(template_shop, tmp_path / "shop"), "refuse"))
    project.build("coupon_vectors")
    project.training_set("visits")
    project.materialize()

    assert project.audit().mismatches == 0
    assert project.prove(cases=3).differences == ()

    path = project.layout.fitted("buying")
    state = msgspec.json.decode(path.read_bytes(), type=StateFile).state
    impute, step, *others = state.steps
    fewer = msgspec.structs.replace(step.columns["coupon"], categories=("SPRING",), vectors=((6.0,), (0.6,)))
    changed = (impute, msgspec.structs.replace(step, columns={"coupon": fewer}), *others)
    write_state(msgspec.structs.replace(state, steps=changed), path)
    with pytest.raises(ContractError, match="1 of 1 rows are refused, because 'coupon' has no value"):
        project.get_online([ROW], "buying")
    with pytest.raises(ContractError, match="1 of 1 rows are refused"):
        project.reader("buying").read([ROW], as_of=project.settings.now())
    assert {difference.path for difference in project.audit().differences} == {"fitted state"}
