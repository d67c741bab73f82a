"""A name, path or frame of the wrong type is refused with an error that says what was expected, by each method."""

import inspect
import re

import polars as pl
import pytest

from featurestore.errors import DefinitionError, FeatureStoreError
from featurestore.values.checked_calls import READS

WRONG = (None, 3, b"x", {"a": 1}, [3], object())
VALUES = {
    "Mapping[str, str]": {},
    "str": "last_order",
    "Path": "orders.csv",
    "Path | str": "orders.csv",
    "Rows": pl.DataFrame(),
    "Rows | Path": pl.DataFrame(),
    "pl.LazyFrame": pl.LazyFrame(),
}


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
                if value is not None or not parameter.annotation.endswith("None"):
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
    """And text stands for the path of a file."""
    assert [view.name for view in shop.check_leaks("last_order").views] == ["last_order"]
    assert [view.view for view in shop.plan_materialize("last_order").views] == ["last_order"]
    out = shop.settings.root / "bad.parquet"
    shop.quality.quarantine("orders", out=str(out))
    assert out.exists()
