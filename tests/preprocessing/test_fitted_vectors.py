"""The vector that is served is the fitted one: the same bits by every path, and as training computes it."""

import json
from datetime import timedelta

import polars as pl
import pytest
from fitted_shop import ROW, fitted_shop, with_steps
from runner import run

import featurestore
from featurestore.errors import MissingDataError, SkewError

NAMES = (
    "amount",
    "missingindicator_amount",
    "coupon_none",
    "coupon_unknown",
    "ordered_at",
    "ratio",
    "missingindicator_ratio",
)


@pytest.fixture(scope="module")
def project(template_shop, tmp_path_factory):
    return fitted_shop(template_shop, tmp_path_factory.mktemp("fitted"))


def test_the_vector_has_the_columns_that_the_steps_make(project):
    """Each column is replaced, in its place, by what a step makes of it."""
    vectors = project.get_online([ROW], "buying", statuses=True)

    assert tuple(project.service("buying").feature_names) == NAMES
    assert vectors.select(NAMES).schema["amount"] == pl.Float64
    assert vectors["coupon_none"].to_list() == [1.0]


def test_every_path_serves_what_training_computes(project):
    """The audit compares each path with the historical join, fitted vectors included."""
    record = project.audit()

    assert record.mismatches == 0
    assert {part.path for part in record.paths} == {
        "get_online",
        "reader",
        "HTTP /v1/vectors",
        "HTTP /get-online-features",
    }
    assert all(part.cells for part in record.paths)


def test_a_step_without_an_expression_has_the_same_bits(template_shop, tmp_path):
    """A hash is a Python function of a column, and another one of a single value: no path needs Polars for one row."""
    steps = 'preprocessing.hashing("coupon", buckets=3), preprocessing.impute("median", columns="amount")'
    project = fitted_shop(template_shop, tmp_path, steps)

    assert project.audit().mismatches == 0
    assert project.uncompiled() == {}


def test_a_key_without_a_row_differs_from_a_row_with_nulls(project):
    """Its columns have values, which steps fill in, and say that the store has no row; a null that is filled in is present."""
    rows = [{"customer": customer, "basket": 16.0} for customer in (2, 1, 77)]
    as_of = project.settings.now()
    names = ("amount", "missingindicator_amount", "coupon_none", "ordered_at")
    vectors = project.reader("buying").read(rows, as_of=as_of)
    joined = project.historical(
        pl.DataFrame(rows).with_columns(event_timestamp=pl.lit(as_of)), "buying", statuses=True
    )
    statuses = [[row[NAMES.index(name)] for name in names] for row in vectors.statuses]

    assert statuses == [[1, 1, 1, 1], [1, 1, 1, 1], [3, 3, 3, 3]]
    assert joined.select(f"{name}__status" for name in names).rows() == [*map(tuple, statuses)]
    assert vectors.values[2][:3] == vectors.values[1][:3] != vectors.values[0][:3]
    assert vectors.values[2][1] == 1.0
    later = project.reader("buying").read(rows[1:2], as_of=as_of + timedelta(seconds=1))
    assert later.statuses[0][:4] == [4, 4, 4, 4]


def test_many_rows_have_the_bits_of_one(project):
    """A request of many rows is computed by Polars, and one of a few in Python."""
    rows = [{"customer": number % 5, "basket": 1.5 * number} for number in range(40)]
    reader = project.reader("buying")
    as_of = project.settings.now()

    assert reader.read(rows, as_of=as_of).values == [
        reader.read([row], as_of=as_of).values[0] for row in rows
    ]
    assert project.uncompiled() == {}


def test_the_state_says_what_it_was_fitted_to(project):
    """The file is readable, and certifies training set, rows and definition."""
    file = json.loads(project.layout.fitted("buying").read_text())
    amounts = pl.read_parquet(project.layout.training("visits"))["amount"].drop_nulls().to_list()

    mean = file["state"]["steps"][0]["columns"]["amount"]["value"]
    assert mean == pytest.approx(sum(amounts) / len(amounts))
    assert file["state"]["certificate"]["training_set"] == "visits"
    assert file["digest"] == project.training_manifest("visits").fitted


def test_a_training_set_is_read_with_the_fitted_vector(project):
    """What a model is trained on is what serving answers."""
    rows = project.read_training_set("visits").polars()
    entity_rows = pl.read_parquet(project.layout.training("visits")).select(
        "customer", "basket", "event_timestamp"
    )

    expected = project.historical(entity_rows, "buying")
    assert rows.select(expected.columns).equals(expected)


def test_the_command_line_shows_the_fitted_vector(project):
    """Each column of the fitted vector is printed; `explain` shows the stored rows behind it."""
    root = project.settings.root
    vector = run("get-online", "buying", "customer=1", "basket=16", cwd=root)
    history = run("explain", "buying", "customer=1", "basket=16", "--at", "2024-01-06T12:00:00Z", cwd=root)

    assert [line.split()[0] for line in vector.stdout.splitlines()[2:]] == list(NAMES)
    assert "amount" in history.stdout
    assert vector.returncode == history.returncode == 0


def test_a_service_without_state_names_the_command(shop_files, shop):
    """Steps that are not fitted yet are refused, with the command that fits them."""
    project = featurestore.open(with_steps(shop_files))
    project.materialize()

    with pytest.raises(MissingDataError, match="featurestore training-set visits"):
        project.get_online([ROW], "buying")


def test_a_state_of_other_steps_is_refused(project, template_shop, tmp_path):
    """A changed step makes the state one of another definition, and the error names the step."""
    changed = fitted_shop(template_shop, tmp_path)
    path = changed.settings.root / "feature_repo/shop.py"
    path.write_text(path.read_text().replace('"standard"', '"robust"'))

    with pytest.raises(SkewError, match=r"step 2.*robust"):
        featurestore.open(changed.settings.root).get_online([ROW], "buying")


def test_an_edited_state_is_refused(template_shop, tmp_path):
    """One number of the file changed by hand is found by the digest of its content."""
    project = fitted_shop(template_shop, tmp_path)
    path = project.layout.fitted("buying")
    file = json.loads(path.read_text())
    file["state"]["steps"][0]["columns"]["amount"]["value"] = 1.5
    path.write_text(json.dumps(file))

    with pytest.raises(SkewError, match="was edited"):
        project.get_online([ROW], "buying")


def test_a_state_of_another_version_is_refused(template_shop, tmp_path):
    """A format that this version does not read is named, also where the fields are others."""
    project = fitted_shop(template_shop, tmp_path)
    project.layout.fitted("buying").write_text('{"state": {"format": 99, "new": 1}}')

    with pytest.raises(SkewError, match="format 99"):
        project.get_online([ROW], "buying")


def test_the_summary_shows_a_fitted_vector(project):
    """Its example is the last row of the training set of the service."""
    assert project.example("buying")["customer"].to_list() == [2]

    project.audit()
    done = run("summary", cwd=project.settings.root)

    assert (done.returncode, "missingindicator_amount" in done.stdout) == (0, True), done.stderr
