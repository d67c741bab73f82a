"""A definition that cannot work is refused when it is written, naming the view and the column."""

from datetime import timedelta
from typing import Annotated

import pandera.polars as pa
import polars as pl
import pytest

import featurestore
from featurestore import DefinitionError, Entity, Frame, feature_service, feature_view, source
from featurestore.definitions.catalog import Catalog

UTC = Annotated[pl.Datetime, "us", "UTC"]
shop = Entity("shop", ("shop",))


class Sales(pa.DataFrameModel):
    """Sales."""

    shop: pl.String = pa.Field(description="shop")
    event_timestamp: UTC = pa.Field(description="when")
    total: pl.Int64 = pa.Field(description="total")


def declare(schema=Sales, name="sales", **options):
    def function(sales: Frame[Sales]) -> Frame[schema]:
        """Sales."""
        return sales

    function.__name__ = name
    return feature_view(**{"entity": shop, "owner": "me", **options})(function)


def changed(**fields):
    """Derive a schema from Sales with other fields."""
    annotations = {name: dtype for name, (dtype, _) in fields.items()}
    values = {name: pa.Field(**options) for name, (_, options) in fields.items()}
    return type("Changed", (Sales,), {"__annotations__": annotations, "__doc__": "Changed.", **values})


def test_a_training_set_needs_a_service_and_not_its_name():
    """The name of a service in place of the service is refused."""

    def visits(sales: Frame[Sales]) -> Frame[Sales]:
        """Visits."""
        return sales

    with pytest.raises(
        DefinitionError, match="training set 'visits': service is a str; expected a feature service"
    ):
        featurestore.training_set(service="selling", label="total", owner="me")(visits)


selling = feature_service("selling", (), owner="me")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"label": ["total", "shop"]},
            r"(?s)label is \['total', 'shop'\]; expected the name of one column.*a training set each",
        ),
        (
            {"label": "totl"},
            "(?s)no label named 'totl' in schema Sales of training set 'visits'.*did you mean 'total'",
        ),
        ({"fits": "no"}, "fits is 'no' .str.; expected True or False"),
        ({"served": 1}, "served is 1 .int.; expected True or False"),
    ],
)
def test_a_training_set_has_one_label(options, message):
    """A list of columns is refused with what to do for several targets; a misspelled label has the nearest name."""

    def visits(sales: Frame[Sales]) -> Frame[Sales]:
        """Visits."""
        return sales

    with pytest.raises(DefinitionError, match=message):
        featurestore.training_set(**{"service": selling, "label": "total", "owner": "me", **options})(visits)


TEXT = {"description": "text"}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (changed(total=(pl.Duration, TEXT)), "view 'sales', column 'total': Duration.* is not supported"),
        (changed(total=(pl.Time, TEXT)), "view 'sales', column 'total': Time is not supported"),
        (
            changed(total=(Annotated[pl.Datetime, "ns", "UTC"], TEXT)),
            "column 'total': Datetime.* is not supported: Python, Feast and the stores have microseconds",
        ),
        (
            changed(total=(Annotated[pl.List, pl.Datetime("ns", "UTC")], TEXT)),
            "column 'total': List.* is not supported: Python, Feast and the stores have microseconds",
        ),
        (
            changed(total=(Annotated[pl.Duration, "ns"], TEXT)),
            "column 'total': Duration.* Feast has no duration",
        ),
        (changed(total=(pl.Int64, {})), "view 'sales', column 'total': the description is missing"),
        (changed(shop=(pl.String, TEXT | {"nullable": True})), "view 'sales': key 'shop' is nullable"),
        (changed(shop=(pl.Float64, TEXT)), "view 'sales': key 'shop' is Float64, which cannot be a key"),
        (
            changed(event_timestamp=(Annotated[pl.Datetime, "us", "Europe/Paris"], TEXT)),
            "view 'sales': 'event_timestamp' is .* expected Datetime\\('us', 'UTC'\\)",
        ),
        (changed(known_at=(pl.Int64, TEXT)), "view 'sales', column 'known_at': the name is reserved"),
    ],
)
def test_a_column_that_cannot_work_is_named(schema, message):
    """The message names the view, the column and the reason."""
    with pytest.raises(DefinitionError, match=message):
        declare(schema)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ttl": timedelta(seconds=-1)}, r"view 'sales': ttl is -\(1 second\); expected more than zero"),
        ({"ttl": timedelta(0)}, "ttl is 0 seconds; expected more than zero"),
        ({"delay": timedelta(seconds=-1)}, "delay is .* expected zero or more"),
        ({"every": timedelta(0)}, "every is 0 seconds"),
        ({"ttl": "1d"}, "view 'sales': ttl is '1d' .str.; expected a timedelta"),
        ({"delay": None}, "delay is None .NoneType.; expected a timedelta"),
        ({"every": 5}, "every is 5 .int.; expected a timedelta"),
        ({"ttl": timedelta.max}, "ttl is .* but timestamps hold at most 3,652,058 days"),
        ({"delay": timedelta.max}, "delay is .* but timestamps hold at most"),
        ({"windows": 0}, "view 'sales': windows is 0 .int.; expected windows"),
        (
            {"entity": Entity("city", ("city",))},
            "view 'sales': schema Sales lacks 'city', a key of entity 'city'",
        ),
    ],
)
def test_an_option_out_of_range_is_named(options, message):
    """Durations and keys are checked where they are declared."""
    with pytest.raises(DefinitionError, match=message):
        declare(**options)


def test_a_function_without_contract_is_refused():
    """Every parameter and the result are annotated."""
    with pytest.raises(DefinitionError, match="parameter 'rows' is not annotated"):

        @feature_view(entity=shop, owner="me")
        def sales(rows: pl.LazyFrame) -> Frame[Sales]:
            """Sales."""
            return rows


def test_two_definitions_of_one_name_are_refused():
    """A name belongs to one definition."""
    raw = source("sales", changed(), "data/raw/sales.csv", owner="me")
    with pytest.raises(DefinitionError, match="feature view 'sales': a source has the same name"):
        Catalog.of([raw, declare()])


def test_a_schema_belongs_to_one_dataset():
    """Otherwise an annotation would not say which dataset it means."""
    raw = source("raw", Sales, "data/raw/sales.csv", owner="me")
    with pytest.raises(DefinitionError, match="'raw' and 'sales' both produce schema Sales"):
        Catalog.of([raw, declare()])


def test_two_features_of_one_name_clash_in_a_service():
    """A vector has one value for each name."""
    with pytest.raises(DefinitionError, match="feature 'total' is in 'sales' and in 'sales_again'"):
        feature_service("model", (declare(), declare(changed(), name="sales_again")), owner="me")


def test_an_unknown_feature_suggests_the_nearest():
    """A slip of the pen is pointed out."""
    with pytest.raises(DefinitionError, match="did you mean 'total'"):
        declare()["totla"]


@pytest.mark.parametrize(
    ("original", "replaced", "message"),
    [
        (
            "import polars as pl",
            "import polrs as pl",
            r"module feature_repo.shop cannot be imported: ModuleNotFoundError(.|\n)*shop.py, line 4",
        ),
        (
            "import polars as pl",
            "import schemas.visits",
            r"No module named 'schemas.visits'\n  hint: write schemas/visits.py; to draft a schema .* remove the import at \S+shop.py, line 4",
        ),
        ("import polars as pl", "def (", r"cannot be imported: SyntaxError(.|\n)*shop.py, line 4"),
        ('owner="shop", ttl=', 'owner="shop", tll=', "cannot be imported: TypeError.*'tll'"),
        (
            'label="bought"',
            'split=__import__("featurestore").random_split(test=2, seed=1), label="bought"',
            r"random_split: .*\n  hint: .*; see \S+shop.py, line \d\d$",
        ),
        (
            'compared), owner="shop"',
            (
                'compared), owner="shop", steps=(__import__("featurestore").preprocessing.embedding("coupon", table=orders, '
                'key="nope", vector="amount"),)'
            ),
            r"no column named 'nope' in table 'orders'\n  hint: known: .*; see \S+shop.py, line \d\d$",
        ),
        ("return orders.select(", "return int(", r"'last_order' fails: TypeError(.|\n)*shop.py, line 1\d"),
        ("return rows.select(ratio=", "return dict(ratio=", "'compared' returns a dict, expected a frame"),
        (
            '/ pl.col("amount")',
            '/ pl.col("amuont")',
            r'fails: ColumnNotFoundError: .*"amuont".*\n  hint: its function must work for every row',
        ),
    ],
)
def test_what_a_users_code_raises_is_said_with_its_place(shop_files, original, replaced, message):
    """One message with the file and the line, not a traceback through ours."""
    path = shop_files / "feature_repo/shop.py"
    path.write_text(path.read_text().replace(original, replaced))
    with pytest.raises(DefinitionError, match=message):
        featurestore.open(shop_files).check()
