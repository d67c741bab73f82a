"""A name, path or frame of the wrong type is refused with an error that says what was expected, by each method."""

import inspect
import re
from datetime import date

import numpy as np
import polars as pl
import pytest
from runner import run

import featurestore
from featurestore.errors import DefinitionError, FeatureStoreError
from featurestore.project.composition import adopt, init
from featurestore.values.checked_calls import READS

WRONG = (None, 3, b"x", {"a": 1}, [3], object())
VALUES = {
    "Mapping[str, str]": {},
    "str": "last_order",
    "Path": "orders.csv",
    "Path | str": "orders.csv",
    "Rows": pl.DataFrame(),
    "Rows | Path": pl.DataFrame(),
    "pl.DataFrame": pl.DataFrame(),
    "pl.LazyFrame": pl.LazyFrame(),
    "int": 3,
}
# Parameters that are read where they are used, by their annotation. All others are read by `checked_call`.
READ_LATER = {
    "features": ["str | FeatureService", "str | Sequence[str] | FeatureService"],
    "entity rows": ["Any", "Rows | Sequence[Mapping[str, Any]]"],
    "times": ["datetime | str | None", "timedelta", "timedelta | None", "Mapping[str, timedelta] | None"],
    "functions": ["JoinProgress | None", "Progress", "Callable[[str], None]", "Callable[[SplitChange], None]"],
    "results of other methods": ["Sequence[Verdict]"],
    "definitions": [
        "Declaration | None", "Entity | None", "FeatureService", "Labellers | None", "Mapping[str, Aggregation] | None",
        "PackageFile | None", "SampleStrategy | None", "Sequence[Step | Stack]", "Split | None", "type[DataFrameModel]",
        "tuple[FeatureView | Selection | OnDemandFeatureView, ...]", "tuple[Selection | FeatureView, ...]",
        "type[DataFrameModel] | None", "ColumnName",
    ],
}  # fmt: skip


def methods(project):
    """List the public methods of a project and of its quality, by name."""
    for owner in (project, project.quality):
        for name, method in inspect.getmembers(owner, inspect.ismethod):
            if not name.startswith("_"):
                yield f"{type(owner).__name__}.{name}", method


def wrong_calls(project):
    """List the calls of all methods with one argument of a wrong type: name of the method, parameter, value, call."""
    for name, method in methods(project):
        parameters = inspect.signature(method).parameters.values()
        required = {
            p.name: VALUES.get(p.annotation, "last_order") for p in parameters if p.default is p.empty
        }
        for parameter in parameters:
            for value in WRONG if parameter.annotation in READS else ():
                is_integer = value == 3 and parameter.annotation.startswith("int")
                if not is_integer and (value is not None or not parameter.annotation.endswith("None")):
                    yield name, parameter.name, value, method, {**required, parameter.name: value}


def test_each_method_refuses_an_argument_of_a_wrong_type(shared_shop):
    """The error names the parameter, the value and what was expected; the method does not run."""
    unlike = []
    calls = list(wrong_calls(shared_shop))
    for name, parameter, value, method, arguments in calls:
        with pytest.raises(DefinitionError) as error:
            method(**arguments)
        if not re.match(rf"{name.split('.')[1]}: {parameter} is .*; expected ", error.value.message):
            unlike.append((name, parameter, value, error.value.message))
    assert unlike == []
    assert len(calls) > 250
    assert {name for name, *_ in calls} >= {
        "Project.read",
        "Project.rebuild",
        "Project.push",
        "Quality.profile",
    }


def test_each_parameter_is_read_by_its_annotation_or_where_it_is_used(shared_shop):
    """An annotation that nobody reads is one of a new kind, or a known one written in another way."""
    declared = [
        getattr(featurestore, name) for name in ("source", "dataset", "feature_view", "feature_service")
    ]
    declared += [
        featurestore.on_demand_feature_view,
        featurestore.training_set,
        featurestore.open,
        init,
        adopt,
    ]
    calls = [*declared, *(method for _, method in methods(shared_shop))]
    annotations = {p.annotation for call in calls for p in inspect.signature(call).parameters.values()}
    later = {annotation for kinds in READ_LATER.values() for annotation in kinds}
    assert annotations - READS.keys() == later


@pytest.mark.parametrize("call", [featurestore.open, init, adopt])
def test_an_empty_path_is_not_the_current_folder(call, tmp_path, monkeypatch):
    """Text without a letter, as of a variable of the shell that has no value, is refused; nothing is written."""
    monkeypatch.chdir(tmp_path)
    for wrong in ("", *WRONG):
        with pytest.raises(DefinitionError, match=r"^\w+: \w+ is .*; expected a path"):
            call(wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["init", ""], "an argument"),
        (["add", ""], "an argument"),
        (["drift", "", "orders"], "an argument"),
        (["quarantine", "orders", "--out="], "--out"),
        (["get-online", "buying", "--as-of", "", "customer=1"], "--as-of"),
        (["key", "add", ""], "an argument"),
    ],
)
def test_an_empty_word_is_wrong_usage(words, place, tmp_path, monkeypatch):
    """Of each command, as argument and as value of an option; nothing is written."""
    monkeypatch.chdir(tmp_path)
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{place} is empty, expected text" in " ".join(done.stderr.replace("│", "").split())
    assert list(tmp_path.iterdir()) == []


def test_a_mapping_or_other_text_is_no_list_of_entity_rows(shared_shop):
    """Entity rows and features have forms of their own; each wrong one is an error of ours."""
    for rows in (*WRONG, "customer=1"):
        with pytest.raises(FeatureStoreError, match="expected a frame or a list of dictionaries"):
            shared_shop.get_online(rows, "last_order")
        with pytest.raises(FeatureStoreError):
            shared_shop.explain(rows, "last_order")
    for features in WRONG:
        with pytest.raises(
            DefinitionError, match="neither the name of a feature service nor a list of names"
        ):
            shared_shop.historical(None, features)


def test_a_single_name_stands_for_a_list_of_one(shop):
    """And text stands for the path of a file, below the project too; a number of NumPy for one of Python."""
    assert [view.name for view in shop.check_leaks("last_order").views] == ["last_order"]
    assert [view.view for view in shop.plan_materialize("last_order").views] == ["last_order"]
    dates = pl.DataFrame({"at": [date(2024, 1, 1), date(2024, 1, 9)]})
    dates.write_parquet(shop.settings.root / "dates.parquet")
    for days in (2, np.int64(2)):
        assert shop.quality.drift("dates.parquet", days=days).rows == (1, 1)
    out = shop.settings.root / "bad.parquet"
    shop.quality.quarantine("orders", out=str(out))
    assert out.exists()
