"""A fitted state belongs to one definition and one set of rows: the audit and the server refuse another one."""

import msgspec
import polars as pl
import pytest
from fitted_shop import ROW, fitted_shop
from serving import running

import featurestore
from featurestore.errors import ContractError, SkewError
from featurestore.operations.fit import fitted_state
from featurestore.preprocessing.numbers import Scaled
from featurestore.preprocessing.state import StateFile
from featurestore.storage.fitted import write_state


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


def test_the_audit_fits_again(project):
    """A state that other rows gave is found, with the column and both numbers, and the command that fits again."""
    replaced(project, other_scale)

    record = project.audit()

    [difference] = [d for d in record.differences if d.path == "fitted state"]
    assert difference.feature == "amount, scale(columns=('amount', 'ratio'))"
    assert '"factor":2.0' in difference.online
    assert "featurestore training-set visits" in record.commands


def test_the_audit_compares_the_rows_of_the_certificate(project):
    """A certificate of other rows is found, although each number agrees."""

    def change(state):
        certificate = msgspec.structs.replace(state.certificate, rows=3, digest="sha256:0")
        return msgspec.structs.replace(state, certificate=certificate)

    replaced(project, change)

    features = [d.feature for d in project.audit().differences]
    assert features == ["certificate: rows", "certificate: digest"]


def test_a_row_in_two_splits_is_found(project):
    """A row that was fitted to must not be in the test split too."""
    path = project.layout.training("visits")
    rows = pl.read_parquet(path)
    doubled = pl.concat([rows.with_columns(split=pl.lit(name)) for name in ("train", "test")])
    training = project.catalog.training_set("visits")
    state = fitted_state(training, doubled)
    doubled.write_parquet(path, metadata=pl.read_parquet_metadata(path))
    write_state(state, project.layout.fitted("buying"))

    differences = [d for d in project.audit().differences if d.feature == "split"]
    assert differences[0].offline == f"{rows.height} training rows in two"


def test_only_training_rows_are_fitted_to(kept):
    """With a column `split`, rows of validation and test change no number of the state."""
    training, rows = kept
    train = rows.with_columns(split=pl.lit("train"))
    others = rows.with_columns(pl.col("amount") * 1_000, split=pl.lit("validation"))

    alone, together = (fitted_state(training, frame) for frame in (train, pl.concat([train, others])))

    assert alone.steps == together.steps
    assert together.certificate.rows == rows.height
    assert together.certificate.split == "train"


def test_a_split_without_training_rows_is_refused(kept):
    """There is nothing to fit to."""
    training, rows = kept

    with pytest.raises(ContractError, match="no rows to fit to"):
        fitted_state(training, rows.with_columns(split=pl.lit("test")))


def test_a_feature_of_nulls_is_refused(kept):
    """The error names service, step and feature."""
    training, rows = kept

    with pytest.raises(
        ContractError, match=r"feature service 'buying', step 1 .*'amount': all 5 values are null"
    ):
        fitted_state(training, rows.with_columns(pl.lit(None, dtype=pl.Float32).alias("amount")))


def test_a_release_carries_the_state(project):
    """A release answers by its own state after the project is fitted again."""
    project.release()
    [before] = project.get_online([ROW], "buying")["amount"].to_list()
    replaced(project, other_scale)

    with running(project.settings.root) as client:
        answer = client.vectors(ROW).json()

    assert answer["release"] == "0001"
    assert answer["values"][0][0] == before
    assert project.get_online([ROW], "buying")["amount"].to_list() != [before]


def test_a_server_refuses_a_state_that_the_release_was_not_made_with(project):
    """A file that was exchanged in the folder of a release does not serve."""
    project.release()
    released = featurestore.open(project.layout.releases / "0001")
    path = released.layout.fitted("buying")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    replaced(released, other_scale)

    with pytest.raises(SkewError, match="another one than release 0001"), running(project.settings.root):
        pass


def test_a_prove_run_covers_fitted_vectors(project):
    """Generated rows go through every path of a service with steps."""
    record = project.prove(cases=4)

    assert record.differences == ()
    assert "buying" in record.services
