"""Steps that cannot work are refused where they are declared, with the nearest name or what was expected."""

import polars as pl
import pytest
import yaml
from fitted_shop import with_another_training_set, with_steps

import featurestore
from featurestore import preprocessing
from featurestore.errors import ContractError, DefinitionError, UnknownNameError
from featurestore.preprocessing.fit import apply, check_steps, fit

SCHEMA = pl.Schema({"amount": pl.Float32(), "coupon": pl.String(), "tags": pl.List(pl.String())})


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: preprocessing.impute("meen", columns="amount"), "did you mean 'mean'"),
        (lambda: preprocessing.scale("standart", columns="amount"), "did you mean 'standard'"),
        (lambda: preprocessing.discretize("kmean", columns="amount"), "did you mean 'kmeans'"),
        (lambda: preprocessing.cycle("weeks", columns="at"), "did you mean 'week'"),
        (lambda: preprocessing.impute(columns=[]), "no columns are named"),
        (lambda: preprocessing.impute(columns=["a", "a"]), "columns: 'a' is named twice"),
        (lambda: preprocessing.impute("constant", columns="a"), "takes a `fill_value`"),
        (lambda: preprocessing.impute("mean", columns="a", fill_value=1), "takes no `fill_value`"),
        (lambda: preprocessing.clip(columns="a"), "either `min` and `max`, or `quantiles`"),
        (lambda: preprocessing.clip(columns="a", min=2, max=1), "expected min below max"),
        (lambda: preprocessing.clip(columns="a", quantiles=(0.9, 0.1)), "the smaller first"),
        (lambda: preprocessing.discretize(columns="a", bins=1), "expected an integer from 2 to 256"),
        (lambda: preprocessing.one_hot("a", min_frequency=0), "min_frequency is 0"),
        (lambda: preprocessing.tf_idf("a", max_features=0), "max_features is 0"),
        (lambda: preprocessing.ordinal("a", categories=["x", "x"]), "named twice"),
        (lambda: preprocessing.hashing("a", buckets=1), "expected an integer from 2 to 1,024"),
        (lambda: preprocessing.target("a", folds=1), "expected an integer from 2 to 100"),
        (lambda: preprocessing.target("a", folds=10**9), "folds is 1000000000; expected an integer from 2"),
        (lambda: preprocessing.target("a", folds=True), "folds is True; expected an integer"),
        (lambda: preprocessing.target("a", smooth=float("nan")), "smooth is nan; expected a finite number"),
        (lambda: preprocessing.target("a", smooth="1"), "smooth is '1'; expected a finite number"),
        (lambda: preprocessing.discretize(columns="a", bins=2.5), r"bins is 2\.5; expected an integer"),
        (lambda: preprocessing.hashing("a", buckets="8"), "buckets is '8'; expected an integer"),
        (lambda: preprocessing.one_hot("a", max_categories=2.5), r"max_categories is 2\.5"),
        (lambda: preprocessing.bag_of_words("a", min_frequency=None), "min_frequency is None"),
        (lambda: preprocessing.clip(columns="a", min=float("nan")), "min is nan; expected a finite number"),
        (lambda: preprocessing.clip(columns="a", max=10**400), "max is 1000.*; expected a finite number"),
        (lambda: preprocessing.clip(columns="a", quantiles=(0.1,)), r"quantiles are \(0\.1,\); expected two"),
        (lambda: preprocessing.clip(columns="a", quantiles=0.1), r"quantiles are 0\.1; expected two"),
        (lambda: preprocessing.clip(columns="a", quantiles=(0.1, None)), "a quantile is None"),
        (lambda: preprocessing.scale(columns=5), "step scale: columns is 5; expected names"),
        (lambda: preprocessing.scale(columns=None), "step scale: columns is None; expected names"),
        (lambda: preprocessing.scale(columns=[1, 2]), r"step scale: columns is \[1, 2\]; expected names"),
        (lambda: preprocessing.scale(columns={"a", "b"}), "expected names of columns as text, in order"),
        (lambda: preprocessing.numeric().exclude(1), r"numeric: exclude is \(1,\); expected names"),
        (lambda: preprocessing.ordinal("a", categories=["web", None]), "a category is None; expected text"),
        (lambda: preprocessing.ordinal("a", categories=["web", 1]), "all of one type"),
        (lambda: preprocessing.ordinal("a", categories=[1.5]), "all of one type"),
        (
            lambda: preprocessing.ordinal("a", categories="abc"),
            "categories is 'abc'; expected the categories",
        ),
        (lambda: preprocessing.ordinal("a", categories=[]), r"categories is \[\]; .* at least one"),
        (lambda: preprocessing.ordinal("a", categories=5), "categories is 5; expected the categories"),
        (
            lambda: preprocessing.impute("constant", columns="a", fill_value=float("nan")),
            "fill_value is nan; expected text",
        ),
        (
            lambda: preprocessing.impute("constant", columns="a", fill_value=2**63),
            "fill_value is 9223372036854775808; .*64 bits",
        ),
        (
            lambda: preprocessing.impute("constant", columns="a", fill_value=[1]),
            r"fill_value is \[1\]; expected text",
        ),
        (
            lambda: preprocessing.impute("constant", columns="a", fill_value="\ud800"),
            "fill_value is .*; expected text",
        ),
        (lambda: preprocessing.target("a", smooth=-1), "expected 0 or more"),
    ],
)
def test_a_step_is_refused_where_it_is_declared(declare, message):
    """The message says what was given, what was expected, and what to write."""
    with pytest.raises(DefinitionError, match=message):
        declare()


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([preprocessing.scale(columns="amuont")], "no feature named 'amuont'.*did you mean 'amount'"),
        ([preprocessing.scale(columns="coupon")], "'coupon' is String; expected numbers"),
        ([preprocessing.impute(columns="coupon")], "'coupon' is String"),
        (
            [preprocessing.impute("constant", columns="amount", fill_value="none")],
            "'amount' is Float32, but fill_value is 'none'; expected a number",
        ),
        (
            [preprocessing.impute("constant", columns="coupon", fill_value=0)],
            "'coupon' is String, but fill_value is 0; expected text",
        ),
        (
            [preprocessing.impute("constant", columns=preprocessing.numeric(), fill_value="none")],
            "'amount' is Float32, but fill_value is 'none'; expected a number",
        ),
        (
            [preprocessing.ordinal("coupon", categories=[1, 2])],
            r"'coupon' is String, but categories are \(1, 2\); expected text",
        ),
        ([preprocessing.one_hot("amount")], "'amount' is Float32; expected text"),
        ([preprocessing.multi_hot("coupon")], "expected lists"),
        ([preprocessing.cycle("day", columns="amount")], "expected dates"),
        ([preprocessing.scale(columns=preprocessing.booleans())], r"booleans\(\) selects no column"),
        ([preprocessing.scale(columns=preprocessing.numeric().exclude("x"))], "no feature named 'x'"),
        ([preprocessing.impute(columns="amount", indicator=True)] * 2, "two columns get the name"),
    ],
)
def test_a_step_must_fit_the_features(steps, message):
    """Names and dtypes are checked without data."""
    with pytest.raises((DefinitionError, UnknownNameError), match=rf"(?s){message}"):
        check_steps(steps, SCHEMA, where="feature service 's'")


def fitted(step, values, label=None, dtype=None):
    """Fit a step to a column `x`."""
    rows = pl.DataFrame({"x": pl.Series(values, dtype=dtype)})
    return fit([step], rows, None if label is None else pl.Series(label), where="feature service 's'").steps


@pytest.mark.parametrize(
    ("step", "values", "message"),
    [
        (
            preprocessing.impute(columns="x"),
            pl.Series([None, None], dtype=pl.Float64),
            "no value is present in 2 rows",
        ),
        (preprocessing.scale(columns="x"), [1.0, float("nan")], "NaN or infinite"),
        (preprocessing.scale("min_max", columns="x"), [0.0, 5e-324], "cannot be scaled to 1"),
        (preprocessing.scale("min_max", columns="x"), [-1.7e308, 1.7e308], "cannot be scaled to 1"),
        (preprocessing.target("x"), ["a", "b"], "no label"),
        (preprocessing.bag_of_words("x"), ["one", "two"], "no word is in 2 rows or more"),
        (preprocessing.tf_idf("x", min_frequency=1), ["", "?"], "no word is in 1 row or more"),
        (
            preprocessing.multi_hot("x"),
            pl.Series([[], [None]], dtype=pl.List(pl.String)),
            "no list has a category",
        ),
    ],
)
def test_values_that_cannot_be_fitted_to_are_refused(step, values, message):
    """The message names service, step and column."""
    with pytest.raises((ContractError, DefinitionError), match=rf"feature service 's', step 1 .*{message}"):
        fitted(step, values)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (
            preprocessing.one_hot("x"),
            {"x_a": [1.0, 0.0, 0.0], "x_b": [0.0] * 3, "x_unknown": [0.0, 1.0, 1.0]},
        ),
        (preprocessing.ordinal("x"), {"x": [0.0, -1.0, None]}),
        (preprocessing.ordinal("x", categories=["b", "a"]), {"x": [1.0, -1.0, None]}),
        (preprocessing.frequency("x"), {"x": [0.5, 0.0, 0.25]}),
        (preprocessing.target("x", smooth=0), {"x": [0.5, 0.5, 1.0]}),
    ],
)
def test_a_category_that_was_never_seen_has_a_rule(step, expected):
    """Serving meets a new category and a null: neither fails."""
    steps = fitted(step, ["a", "a", "b", None], [True, False, False, True])

    answer = apply(pl.LazyFrame({"x": ["a", "new", None]}), steps).collect()

    assert answer.to_dict(as_series=False) == expected


def test_a_state_that_no_file_holds_is_refused():
    """A mean that is infinite would be null in JSON, and the state could not be read back."""
    with pytest.raises(ContractError, match=r"step 1 .*'x': what was learned cannot be kept in a file"):
        fitted(preprocessing.target("x", smooth=1e308), ["a", "b"], [10.0, 20.0])


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (["scale"], r"step 1 is 'scale'; expected what a call of a function .*\n.*example: steps=\["),
        ([preprocessing.scale(columns="a"), preprocessing.impute], "step 2 is the function impute; expected"),
        ("scale", "steps is 'scale'; expected a list of steps"),
        (preprocessing.scale(columns="amount"), r"steps is Scale\(.*; expected a list of steps"),
        (None, "steps is None; expected a list of steps"),
    ],
)
def test_steps_are_a_list_of_steps(steps, message):
    """The name of a step, a function that is not called, or a step alone, is refused where the service is declared."""
    with pytest.raises(DefinitionError, match=f"feature service 's': {message}"):
        featurestore.feature_service("s", (), owner="o", steps=steps)


def test_the_hash_of_a_category_is_pinned():
    """The bucket is the same on any machine and for any rows; the state counts categories that share one."""
    steps = fitted(preprocessing.hashing("x", buckets=4), ["a", "b", "c", "d", "e", None])

    answer = apply(pl.LazyFrame({"x": ["a", "new", None]}), steps).collect()

    assert [row.index(1.0) if 1.0 in row else None for row in answer.rows()] == [3, 3, None]
    assert steps[0].columns["x"].collisions == 2


def test_a_category_named_unknown_is_the_unknown_one():
    """It has no column beside the one of that name."""
    steps = fitted(preprocessing.one_hot("x"), ["a", "unknown"])

    answer = apply(pl.LazyFrame({"x": ["unknown", "a"]}), steps).collect()
    assert answer.to_dict(as_series=False) == {"x_a": [0.0, 1.0], "x_unknown": [1.0, 0.0]}


def test_a_label_of_three_classes_gives_a_column_for_each():
    """The classes are in sorted order."""
    steps = fitted(preprocessing.target("x", smooth=0), ["a", "a", "b"], ["red", "blue", "green"])

    answer = apply(pl.LazyFrame({"x": ["a"]}), steps).collect()
    assert answer.to_dict(as_series=False) == {"x_blue": [0.5], "x_green": [0.0], "x_red": [0.5]}


def test_the_own_label_of_a_training_row_is_not_in_its_feature():
    """A category of one row says nothing about its label: the row gets the mean of the other folds."""
    rows = pl.DataFrame({"x": ["a", "b", "c", "d"]})
    result = fit([preprocessing.target("x", smooth=1, folds=2)], rows, pl.Series([1, 0, 0, 0]), where="s")

    assert result.rows["x"].to_list() == [0.0, 0.5, 0.0, 0.5]
    assert apply(rows.lazy(), result.steps).collect()["x"][0] == 0.625


def test_a_service_with_steps_needs_a_training_set(shop_files):
    """Without one, there is nothing to fit the steps to."""
    path = with_steps(shop_files) / "feature_repo/shop.py"
    text = path.read_text()
    path.write_text(text[: text.index("@training_set")])

    with pytest.raises(DefinitionError, match="no training set to fit them to"):
        featurestore.open(shop_files).check()


def test_one_training_set_fits_the_steps_of_a_service(shop_files):
    """Of two training sets, one says `fits=True`; the stage of the other depends on the state."""
    path = with_another_training_set(with_steps(shop_files)) / "feature_repo/shop.py"
    text = path.read_text()
    with pytest.raises(DefinitionError, match=r"2 training sets to fit them to: (visits, more|more, visits)"):
        featurestore.open(shop_files).check()

    path.write_text(text.replace("@training_set(service", "@training_set(fits=True, service", 1))
    stages = yaml.safe_load(featurestore.open(shop_files).pipeline())["stages"]

    outs = [next(iter(out)) for out in stages["training-set-visits"]["outs"]]
    assert outs[-2:] == ["data/training/visits.fitted.parquet", "data/fitted/buying.json"]
    assert "data/fitted/buying.json" in stages["training-set-more"]["deps"]
