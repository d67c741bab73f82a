"""Known ways in which fitted vectors go wrong, planted in our own code: the audit finds each."""

import polars as pl
import pytest
from fitted_shop import fitted_shop

from featurestore.errors import SkewError
from featurestore.operations.training_set.fit import fit_to
from featurestore.storage.fitted import write_state
from tests.faults.planting import code
from tests.laws import DEPTH

FAULTS = {
    "a reader that forgets the steps": code(
        "vectors.reader:VectorReader.vectors", "if self._fitted is not None:", "if False:"
    ),
    "a row function that computes another value": code(
        "vectors.fitted_steps:FittedSteps._compiled", "list(result)", "[value and -1.0 for value in result]"
    ),
    "statuses that are not those of the value": code(
        "vectors.fitted_steps:FittedSteps.apply", "(_NULL if value is None else _PRESENT)", "_NULL"
    ),
    "a fit that computes another mean": code(
        "preprocessing.impute:Impute.fit",
        "mean_and_variance(observed.numbers()).mean",
        "mean_and_variance(observed.numbers()).mean * 2",
    ),
    "a column in another place": code(
        "preprocessing.fit:apply", "**outputs", "**dict(reversed(outputs.items()))"
    ),
}


@pytest.fixture
def project(template_shop, tmp_path):
    return fitted_shop(template_shop, tmp_path)


@pytest.mark.parametrize("fault", list(FAULTS)[:: 2 if DEPTH == 1 else 1])
def test_the_audit_finds_a_fault_that_came_after_training(project, monkeypatch, fault):
    """The state and the vectors are those of training; what serves, or fits again, has the fault."""
    FAULTS[fault](project.settings.root, monkeypatch)

    try:
        assert project.audit().mismatches
    except SkewError as error:
        assert "answer" in str(error) or "refuses" in str(error)  # noqa: PT017 - a path may refuse to answer at all


def test_the_audit_finds_steps_that_were_fitted_to_test_rows(project, monkeypatch):
    """Also where what fits and what audits have the same fault: rows that were fitted to are in another split."""
    path = project.layout.training("visits")
    metadata = pl.read_parquet_metadata(path)
    split = pl.when(pl.int_range(pl.len()) < 3).then(pl.lit("train")).otherwise(pl.lit("test"))
    rows = pl.read_parquet(path).with_columns(split=split)
    code("operations.training_set.fit:train_mask", "(rows[SPLIT] == TRAIN)", "(rows[SPLIT] != '')")(
        path, monkeypatch
    )
    state, vectors = fit_to(project.catalog.training_set("visits"), rows)
    rows.write_parquet(path, metadata=metadata)
    vectors.write_parquet(project.layout.fitted_training("visits"), metadata=metadata)
    write_state(state, project.layout.fitted("buying"))

    assert state.certificate.rows == rows.height
    assert "split" in [difference.feature for difference in project.audit().differences]
