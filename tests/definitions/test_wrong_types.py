"""A declaration with an argument of a wrong type is refused where it is made, with what was expected."""

import inspect
from typing import Annotated

import pandera.polars as pa
import polars as pl
import pytest

from featurestore import (
    Entity,
    Frame,
    dataset,
    feature_service,
    feature_view,
    labelled_by,
    on_demand_feature_view,
    random_split,
    source,
    time_split,
    training_set,
)
from featurestore.errors import DefinitionError


class Raw(pa.DataFrameModel):
    """Raw rows."""

    customer: pl.Int64 = pa.Field(description="who")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")
    amount: pl.Float64 = pa.Field(description="what", metadata={"unit": "1"})


class Facts(Raw):
    """Rows of a view."""


class Asked(pa.DataFrameModel):
    """A request."""

    basket: pl.Float64 = pa.Field(description="what", metadata={"unit": "1"})


class Ratio(pa.DataFrameModel):
    """What is computed."""

    ratio: pl.Float64 = pa.Field(description="what", metadata={"unit": "1"})


class Visits(pa.DataFrameModel):
    """Rows of a training set."""

    customer: pl.Int64 = pa.Field(description="who")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")
    large: pl.Boolean = pa.Field(description="label")


def visits(raw: Frame[Raw]) -> Frame[Visits]:
    """Visits."""
    return raw.select("customer", "event_timestamp", large=pl.col("amount") > 1)


customer = Entity("customer", ("customer",))


@feature_view(entity=customer, owner="shop")
def facts(raw: Frame[Raw]) -> Frame[Facts]:
    """Facts."""
    return raw


def computed(rows: Frame[Asked]) -> Frame[Ratio]:
    """Ratio."""
    return rows.select(ratio=pl.col("basket") / pl.col("amount"))


service = feature_service("service", (facts,), owner="shop")
DECLARATIONS = {
    Entity: (None, {"name": "customer", "keys": ("customer",), "description": ""}),
    source: (
        None,
        {"name": "raw", "schema": Raw, "path": "raw.csv", "owner": "shop", "origin": None, "null_values": ()},
    ),
    dataset: (facts.function, {"owner": "shop"}),
    feature_view: (
        facts.function,
        {"entity": customer, "owner": "shop", "tags": None, "by_key": False, "windows": None, "identity": ()},
    ),
    on_demand_feature_view: (computed, {"sources": (facts["amount"],), "owner": "shop"}),
    feature_service: (
        None,
        {"name": "service", "features": (facts,), "owner": "shop", "description": "", "steps": ()},
    ),
    training_set: (
        visits,
        {
            "service": service,
            "label": "large",
            "owner": "shop",
            "fits": False,
            "served": False,
            "split": None,
        },
    ),
    random_split: (None, {"validation": 0.1, "test": 0.2, "seed": 1, "by": None, "stratify": None}),
    time_split: (None, {"test_from": "2026-03-01T00:00:00Z", "gap": "1d"}),
    labelled_by: (None, {"column": "who", "policy": "priority", "order": ("ann",)}),
}
WRONG = (3.5, b"x", [3], (3,), {"a": 1}, object())


def declared(declaration, function, arguments):
    """Make a declaration; of a function, if it decorates one."""
    result = declaration(**arguments)
    return result if function is None else result(function)


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda declaration: declaration.__name__)
def test_a_declaration_refuses_each_argument_of_a_wrong_type(declaration):
    """Each of its arguments, alone wrong, raises an error of ours that names the argument."""
    function, arguments = DECLARATIONS[declaration]
    declared(declaration, function, arguments)
    parameters = inspect.signature(declaration).parameters
    for name in arguments:
        for wrong in (*WRONG, *(() if parameters[name].annotation.endswith("None") else (None,))):
            with pytest.raises(DefinitionError):
                declared(declaration, function, {**arguments, name: wrong})


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (
            lambda: feature_service("s", ("facts",), owner="shop"),
            "features has 'facts' .str.; expected feature views",
        ),
        (lambda: feature_service("s", facts, owner="shop"), "features is .* .FeatureView.; expected a tuple"),
        (lambda: feature_service("s", "facts", owner="shop"), "features is 'facts' .str.; expected a tuple"),
        (
            lambda: on_demand_feature_view(sources=("facts",), owner="shop"),
            "sources has 'facts' .str.; expected",
        ),
        (lambda: Entity("customer", "customer"), r"keys is 'customer' .str.; expected a tuple of names"),
        (lambda: feature_view(entity="customer", owner="shop")(facts.function), "entity is 'customer' .str."),
        (
            lambda: source("raw", pl.Schema(), "raw.csv", owner="shop"),
            "schema is .* .Schema.; expected a class",
        ),
        (
            lambda: source("raw", Raw, "raw.csv", owner=None),
            "source: owner is None .NoneType.; expected text",
        ),
        (lambda: facts[3], "view 'facts': features is 3 .int.; expected names as text"),
    ],
)
def test_the_error_says_what_was_expected(declare, message):
    """Names in place of definitions are the usual mistake."""
    with pytest.raises(DefinitionError, match=message):
        declare()


def test_a_single_null_value_stands_for_a_tuple_of_one():
    """It is not taken apart into letters; the source is still defined in the file that declares it."""
    raw = source("raw", Raw, "raw.csv", owner="shop", null_values="NA")
    assert raw.null_values == ("NA",)
    assert raw.defined_in.name == "test_wrong_types.py"
