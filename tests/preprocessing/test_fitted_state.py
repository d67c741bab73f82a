"""A fitted state belongs to one definition and one set of rows: the audit and the server refuse another one."""

import shutil
from dataclasses import replace

import msgspec
import polars as pl
import pytest
from fitted_shop import ROW, fitted_shop, with_another_training_set, with_steps
from runner import run
from serving import running

import featurestore
from featurestore import preprocessing
from featurestore.errors import ContractError, DefinitionError, MissingDataError, SkewError
from featurestore.operations.training_set.fit import fit_to
from featurestore.preprocessing.numbers import Scaled
from featurestore.preprocessing.state import StateFile
from featurestore.storage.fitted import write_state
from featurestore.storage.made_by import metadata_of


@pytest.fixture
def project(template_shop, tmp_path):
    return fitted_shop(template_shop, tmp_path)


@pytest.fixture(scope="module")
def kept(template_shop, tmp_path_factory):
    """A training set definition and its kept rows."""
    project = fitted_shop(template_shop, tmp_path_factory.mktemp("kept"))
    return project.catalog.training_set("visits"), pl.read_parquet(project.layout.training("visits"))


def replaced(project, change):
    """Write a changed state in place of that of the shop, as another fit would have."""
    path = project.layout.fitted("buying")
    write_state(change(msgspec.json.decode(path.read_bytes(), type=StateFile).state), path)


def other_scale(state):
    """Return a state with another scale of one column."""
    first, scale, *others = state.steps
    columns = {**scale.columns, "amount": Scaled(center=0.0, factor=2.0)}
    scale = msgspec.structs.replace(scale, columns=columns)
    return msgspec.structs.replace(state, steps=(first, scale, *others))


def fewer_categories(state):
    """Return a state whose step learned a category less."""
    *others, step = state.steps
    known = step.columns["coupon"]
    less = msgspec.structs.replace(known, categories=known.categories[:-1])
    step = msgspec.structs.replace(step, columns={"coupon": less})
    left_out = [name for name in known.expressions("coupon") if name not in less.expressions("coupon")]
    features = {name: dtype for name, dtype in state.features.items() if name not in left_out}
    return msgspec.structs.replace(state, steps=(*others, step), features=features)


def test_the_audit_fits_again(project):
    """A state that other rows gave is found, with the column and both numbers, and the command that fits again."""
    replaced(project, other_scale)

    record = project.audit()

    [difference] = [d for d in record.differences if d.path == "fitted state"]
    assert difference.feature == "amount, scale(columns=('amount', 'ratio')): center and 1 other value"
    assert difference.online == "0.0"
    assert "featurestore training-set visits" in record.commands


def test_the_audit_compares_the_rows_of_the_certificate(project):
    """A certificate of other rows is found, although each number agrees."""

    def change(state):
        certificate = msgspec.structs.replace(state.certificate, rows=3, digest="sha256:0")
        return msgspec.structs.replace(state, certificate=certificate)

    replaced(project, change)

    features = [d.feature for d in project.audit().differences]
    assert features == ["certificate: rows", "certificate: digest"]


def test_the_audit_compares_the_kept_vectors(project):
    """One cell that a person changed is found, with its row."""
    path = project.layout.fitted_training("visits")
    metadata = pl.read_parquet_metadata(path)
    rows = pl.read_parquet(path)
    changed = rows.with_columns(amount=pl.when(pl.int_range(pl.len()) == 2).then(9.5).otherwise("amount"))
    changed.write_parquet(path, metadata=metadata)

    [difference] = project.audit().differences
    assert (difference.key, difference.feature, difference.online) == ("row 2", "amount", "9.5")


def test_a_row_in_two_splits_is_found(project):
    """A row that was fitted to must not be in the test split too."""
    path = project.layout.training("visits")
    rows = pl.read_parquet(path)
    doubled = pl.concat([rows.with_columns(split=pl.lit(name)) for name in ("train", "test")])
    training = project.catalog.training_set("visits")
    state, vectors = fit_to(training, doubled)
    metadata = pl.read_parquet_metadata(path)
    doubled.write_parquet(path, metadata=metadata)
    vectors.write_parquet(project.layout.fitted_training("visits"), metadata=metadata)
    write_state(state, project.layout.fitted("buying"))

    differences = [d for d in project.audit().differences if d.feature == "split"]
    assert differences[0].offline == f"{rows.height} rows of train in two"


def test_only_training_rows_are_fitted_to(kept):
    """With a column `split`, rows of validation and test change no number of the state."""
    training, rows = kept
    train = rows.with_columns(split=pl.lit("train"))
    others = rows.with_columns(pl.col("amount") * 1_000, split=pl.lit("validation"))

    alone, together = (fit_to(training, frame).state for frame in (train, pl.concat([train, others])))

    assert alone.steps == together.steps
    assert together.certificate.rows == rows.height
    assert together.certificate.split == "train"


def test_a_fitted_column_is_not_a_column_of_the_training_set(kept):
    """A name that both have is refused before anything is written."""
    training, rows = kept
    steps = (preprocessing.impute("constant", columns="coupon", fill_value="none"),)
    service = replace(training.service, steps=steps)
    schema = replace(
        training.contract,
        columns=(*training.contract.columns, replace(training.contract["bought"], name="coupon")),
    )

    with pytest.raises(
        DefinitionError, match="'coupon' is a column of the fitted vector of service 'buying'"
    ):
        fit_to(replace(training, service=service, contract=schema), rows)


def test_another_training_set_applies_the_state(template_shop, tmp_path):
    """The state is fitted to one training set; the other has the vectors that serving answers."""
    root = with_another_training_set(with_steps(shutil.copytree(template_shop, tmp_path / "shop")))
    path = root / "feature_repo/shop.py"
    path.write_text(path.read_text().replace("@training_set(service", "@training_set(fits=True, service", 1))
    project = featurestore.open(root)

    with pytest.raises(MissingDataError, match="featurestore training-set visits"):
        project.training_set("more")
    fitted = project.training_set("visits").fitted
    assert project.training_set("more").fitted == fitted

    entity_rows = pl.read_parquet(project.layout.training("more")).select(
        "customer", "basket", "event_timestamp"
    )
    expected = project.historical(entity_rows, "buying")
    assert project.read_training_set("more").polars().select(expected.columns).equals(expected)


def test_a_copy_of_a_row_has_the_vector_of_the_row(kept):
    """Copies of an oversampled class change no number of the state, and do not know their own label."""
    training, rows = kept
    steps = (
        preprocessing.impute("constant", columns="coupon", fill_value="none"),
        preprocessing.target("coupon", folds=2),
    )
    training = replace(training, service=replace(training.service, steps=steps))
    labels = pl.Series([True, False, True, False, True][: rows.height])
    marked = rows.with_columns(
        bought=labels, split=pl.lit("train"), weight=pl.lit(1.0), is_repeated=pl.lit(value=False)
    )
    copies = pl.concat([marked.head(1)] * 3).with_columns(is_repeated=pl.lit(value=True))

    alone, together = fit_to(training, marked), fit_to(training, pl.concat([marked, copies]))

    assert together.state == alone.state
    assert together.rows.head(rows.height).equals(alone.rows)
    assert together.rows["coupon"].tail(3).to_list() == [alone.rows["coupon"][0]] * 3
    assert alone.rows["coupon"][0] != alone.rows["coupon"][1]


def test_a_split_without_training_rows_is_refused(kept):
    """There is nothing to fit to."""
    training, rows = kept

    with pytest.raises(ContractError, match="no rows to fit to"):
        fit_to(training, rows.with_columns(split=pl.lit("test")))


def test_a_feature_of_nulls_is_refused(kept):
    """The error names service, step and feature."""
    training, rows = kept

    with pytest.raises(
        ContractError, match=r"feature service 'buying', step 1 .*'amount': no value is present in 5 rows"
    ):
        fit_to(training, rows.with_columns(pl.lit(None, dtype=pl.Float32).alias("amount")))


def test_a_release_carries_the_state(project):
    """A release answers by its own state after the project is fitted again, and does not serve by an exchanged one."""
    project.release()
    [before] = project.get_online([ROW], "buying")["amount"].to_list()
    replaced(project, other_scale)

    with running(project.settings.root) as client:
        answer = client.vectors(ROW).json()

    assert answer["release"] == "0001"
    assert answer["values"][0][0] == before
    assert project.get_online([ROW], "buying")["amount"].to_list() != [before]

    released = featurestore.open(project.layout.releases / "0001")
    path = released.layout.fitted("buying")
    path.unlink()
    path.write_bytes(project.layout.fitted("buying").read_bytes())
    with pytest.raises(SkewError, match="another one than release 0001"), running(project.settings.root):
        pass


def test_what_was_served_is_compared_with_fitted_vectors(project):
    """The log of a server replays, and does not drift from the training set by the scale of its numbers."""
    rows = pl.read_parquet(project.layout.training("visits"))
    requests = [{"customer": customer, "basket": 16.0} for customer in rows["customer"].unique()]
    with running(project.settings.root, log_features=1.0) as client:
        for row in requests * 8:
            assert client.vectors(row).status_code == 200

    drift = project.quality.drift("visits", "served:buying")
    compared = {column.column for column in drift.columns}

    assert project.replay("buying").mismatches == 0
    assert {"amount", "coupon_none", "missingindicator_ratio"} <= compared
    assert not {"coupon"} & {*compared, *drift.only_before}


def test_a_prove_run_covers_fitted_vectors(project):
    """Generated rows go through every path of a service with steps."""
    record = project.prove(cases=4)

    assert record.differences == ()
    assert "buying" in record.services


def test_check_accepts_steps_that_are_not_fitted_again_yet(project):
    """A step that changed, or a state that is gone, is for the next build: the definitions are right."""
    path = project.settings.root / "feature_repo/shop.py"
    path.write_text(path.read_text().replace('scale("standard"', 'scale("robust"'))
    run("pipeline", "--write", cwd=project.settings.root)
    assert run("check", cwd=project.settings.root).returncode == 0

    project.layout.fitted("buying").unlink()
    assert run("check", cwd=project.settings.root).returncode == 0


def test_personal_numbers_are_not_shown(template_shop, tmp_path):
    """The audit names the step and the row of a personal column, and no value of it."""
    project = fitted_shop(template_shop, tmp_path)
    schemas = project.settings.root / "schemas/shop.py"
    text, view, after = schemas.read_text().partition("class LastOrder")
    after = after.replace('{"unit": "EUR"}', '{"unit": "EUR", "personal": True}', 1)
    schemas.write_text(text + view + after)
    project = featurestore.open(project.settings.root)
    project.build("last_order")
    project.apply()
    project.training_set("visits")
    project.materialize()
    replaced(project, other_scale)

    [state] = project.audit().differences
    assert state.feature == "amount, scale(columns=('amount', 'ratio'))"
    assert state.offline == "(personal), another value"
    assert state.online == "(personal)"


def test_personal_categories_are_not_named(template_shop, tmp_path):
    """A column that is named by a category of a personal feature has a number in the audit, in each kind of difference."""
    project = fitted_shop(template_shop, tmp_path)
    schemas = project.settings.root / "schemas/shop.py"
    text, view, after = schemas.read_text().partition("class LastOrder")
    schemas.write_text(
        text
        + view
        + after.replace('description="coupon"', 'description="code", metadata={"personal": True}', 1)
    )
    project = featurestore.open(project.settings.root)
    project.build("last_order")
    project.apply()
    project.training_set("visits")
    project.materialize()
    vectors = project.layout.fitted_training("visits")
    built = vectors.read_bytes()
    kept = pl.read_parquet(built)
    categories = [name for name in kept.columns if name.startswith("coupon_")]
    texts = []
    for changed in (
        kept.drop(categories[0]),
        kept.with_columns(-pl.col(categories[0])),
        kept.rename({categories[0]: "coupon_other"}),
    ):
        changed.write_parquet(vectors, metadata=metadata_of(project.catalog.training_set("visits")))
        texts += [f"{difference}" for difference in project.audit().differences]
    vectors.write_bytes(built)
    replaced(project, fewer_categories)
    texts += [f"{difference}" for difference in project.audit().differences]
    assert any("coupon (personal) 1" in text for text in texts)
    assert not any(name in text for name in (*categories, "coupon_other") for text in texts)
