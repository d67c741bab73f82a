"""A value is accepted by every door, as the same value, or refused by every door."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated

import msgspec
import pandera.polars as pa
import polars as pl
import pytest

from featurestore import ContractError, Entity, Frame, feature_service, feature_view, on_demand_feature_view
from featurestore.adapters.entity_rows import rows_given
from featurestore.cli.arguments import row_of
from featurestore.definitions.entity import KEY_DTYPES
from featurestore.operations.get_online import read_online
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.service.lookup.endpoint import Endpoint
from featurestore.testing import MemoryStore
from featurestore.vectors.historical import historical
from featurestore.vectors.request import entity_rows_of

NOW = datetime(2024, 1, 10, tzinfo=UTC)
OTHER_ZONE = timezone(timedelta(hours=5, minutes=45))
DTYPES = {
    "Boolean": (pl.Boolean(), pl.Boolean),
    "Int8": (pl.Int8(), pl.Int8),
    "Int32": (pl.Int32(), pl.Int32),
    "Int64": (pl.Int64(), pl.Int64),
    "UInt8": (pl.UInt8(), pl.UInt8),
    "UInt64": (pl.UInt64(), pl.UInt64),
    "Float32": (pl.Float32(), pl.Float32),
    "Float64": (pl.Float64(), pl.Float64),
    "String": (pl.String(), pl.String),
    "Binary": (pl.Binary(), pl.Binary),
    "Date": (pl.Date(), pl.Date),
    "Datetime us": (pl.Datetime("us", "UTC"), Annotated[pl.Datetime, "us", "UTC"]),
    "Datetime ms": (pl.Datetime("ms", "UTC"), Annotated[pl.Datetime, "ms", "UTC"]),
    "Datetime zone": (pl.Datetime("us", "Africa/Bamako"), Annotated[pl.Datetime, "us", "Africa/Bamako"]),
    "Decimal": (pl.Decimal(10, 2), Annotated[pl.Decimal, 10, 2]),
}
VALUES = [
    None, True, False, 0, 1, -1, 127, 128, 255, 2**31, 2**53 + 1, 2**63 - 1, 2**64 - 1, 10**8,
    16_777_217, 0.0, 1.0, 0.1, -0.5, 16_777_217.0, 1e300, "", "a", "é", "1", b"", b"\xff",
    date(2024, 2, 29), datetime(2024, 2, 29, 1, 2, 3, 4000, UTC), datetime(2024, 2, 29, 1, 2, 3, 4, UTC),
    datetime(1955, 1, 1, tzinfo=OTHER_ZONE), datetime(2024, 2, 29),  # noqa: DTZ001 - refused
    Decimal("1.5"), Decimal("1.005"), Decimal("1.500"), Decimal("-0.01"), Decimal("99999999.99"),
    Decimal(10**8), Decimal("1e3"),
]  # fmt: skip
# The pairs that are accepted, and what the value becomes; all others are refused.
INTEGERS = {"Int8": (-(2**7), 2**7 - 1), "Int32": (-(2**31), 2**31 - 1), "Int64": (-(2**63), 2**63 - 1)}
INTEGERS |= {"UInt8": (0, 255), "UInt64": (0, 2**64 - 1)}


def expected(name, value):  # noqa: PLR0911 - one return a dtype
    """Say what a dtype holds for a value, or ContractError: the table of the documentation, written again."""
    kind = type(value)
    if value is None:
        return None
    if name in INTEGERS and kind is int and INTEGERS[name][0] <= value <= INTEGERS[name][1]:
        return value
    if name == "Float64" and (kind is float or (kind is int and int(float(value)) == value)):
        return float(value)
    if name == "Float32" and kind in (int, float):
        single = pl.Series([float(value)]).cast(pl.Float32).item()
        if single == value or (kind is float and not value.is_integer()):
            return single
    if name == "Decimal" and kind in (int, Decimal):
        number = Decimal(value)
        if number == round(number, 2) and abs(number) < 10**8:
            return number
    if {"Boolean": bool, "String": str, "Binary": bytes, "Date": date}.get(name) is kind:
        return value
    is_instant = name.startswith("Datetime") and kind is datetime and value.tzinfo is not None
    if is_instant and (name != "Datetime ms" or value.microsecond % 1000 == 0):
        return value.astimezone(UTC)
    return ContractError


def service_of(annotation):
    """Declare a service whose one feature is its one request value."""
    schema = type("Asked", (pa.DataFrameModel,), {
        "__annotations__": {"x": annotation}, "__doc__": "A value.",
        "x": pa.Field(nullable=True, description="value"),
    })  # fmt: skip
    computed = type("Answered", (pa.DataFrameModel,), {
        "__annotations__": {"y": annotation}, "__doc__": "The value.",
        "y": pa.Field(nullable=True, description="value"),
    })  # fmt: skip

    def same(rows: Frame[schema]) -> Frame[computed]:
        """Return the value."""
        return rows.select(y="x")

    view = on_demand_feature_view(owner="me")(same)
    return feature_service("service", (view,), owner="me")


def outcome(read):
    """Return the value that a door gives, or ContractError if it refuses the request."""
    try:
        frame_or_value = read()
    except (ContractError, msgspec.ValidationError):
        return ContractError
    if not isinstance(frame_or_value, pl.DataFrame):
        return frame_or_value
    values = frame_or_value["y"]
    if isinstance(values.dtype, pl.Datetime):
        values = values.dt.convert_time_zone("UTC")
    return values.item()


def written(value):
    """Write a value as a word of the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)


class Doors:
    """The doors of a service: each takes one request value and returns what the service computes."""

    def __init__(self, service):
        self.service = service
        self.store = MemoryStore()
        self.endpoint = Endpoint(service, self.store, stale_cache=None, max_rows=10)

    def reader(self, value):
        return self.endpoint.reader.read([{"x": value}], as_of=NOW).values[0][0]

    def rows(self, value):
        rows = rows_given([{"x": value}], self.service.request_schema, "service")
        return read_online(rows, self.service, self.store, as_of=NOW)

    def frame(self, value):
        return read_online(pl.DataFrame({"x": [value]}), self.service, self.store, as_of=NOW)

    def training(self, value):
        rows = pl.DataFrame({"x": [value]}).with_columns(
            event_timestamp=pl.lit(NOW, pl.Datetime("us", "UTC"))
        )
        return historical(rows, self.service, [], None, check=RequestGate(self.service).check_frame)

    def http(self, value):
        rows, _ = self.endpoint.decode(msgspec.json.encode({"rows": [{"x": value}]}))
        return self.endpoint.reader.read_checked(rows, as_of=NOW).values[0][0]

    def feast_wire(self, value):
        columns = msgspec.json.decode(msgspec.json.encode({"x": [value]}))
        rows = self.endpoint.wire.rows(columns, limit=10)
        return self.endpoint.reader.read_checked(rows, as_of=NOW).values[0][0]

    def command_line(self, value):
        word = str(value).lower() if isinstance(value, bool) else str(value)
        word = value.isoformat() if isinstance(value, date) else word
        return read_online(row_of([f"x={word}"], self.service), self.service, self.store, as_of=NOW)


def names_of_doors(name, value, *, fits):
    """List the doors that can carry a value: JSON has no bytes, dates and decimals, and a word has no type."""
    doors = ["reader", "rows", "frame", "training"]
    in_text = isinstance(value, (bytes, date, Decimal)) or (name, type(value)) in {
        ("Binary", str),
        ("Decimal", float),
        ("Decimal", str),
    }
    if not in_text or (fits and not isinstance(value, bytes)):
        doors.append("http")
        # On Feast's wire, a number is a timestamp in seconds.
        if not isinstance(value, datetime | date) and not name.startswith("Datetime"):
            doors.append("feast_wire")
    if fits and value not in (None, "") and not isinstance(value, bytes):
        doors.append("command_line")
    return doors


@pytest.mark.parametrize("name", DTYPES)
def test_every_door_accepts_the_same_values(name):
    """Reader, frame, rows, training, both wires of HTTP and the command line agree, for each dtype and value."""
    doors = Doors(service_of(DTYPES[name][1]))
    for value in VALUES:
        wanted = expected(name, value)
        for door in names_of_doors(name, value, fits=wanted is not ContractError):
            actual = outcome(lambda door=door, value=value: getattr(doors, door)(value))
            assert actual == wanted, (name, value, door, actual, wanted)
            assert type(actual) is type(wanted), (name, value, door, actual, wanted)


def test_half_of_a_pair_of_surrogates_is_no_text():
    """Python's text may hold it; no file, store or body of a request can."""
    doors = Doors(service_of(pl.String))
    for door in ("reader", "rows"):
        with pytest.raises(ContractError, match=r"'x' is '\\ud800', expected String"):
            getattr(doors, door)("\ud800")


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Boolean", "1"), ("Boolean", "maybe"), ("Int8", "128"), ("Int64", "1.0"), ("Int64", "a"),
        ("Float64", str(2**53 + 1)), ("Float64", "dear"), ("Float32", "16777217"), ("Decimal", "1.005"),
        ("Decimal", "a"), ("Date", "2024-02-30"), ("Datetime us", "2024-02-29T01:00:00"),
        ("Datetime ms", "2024-02-29T01:00:00.000001Z"), ("UInt64", "-1"),
    ],
)  # fmt: skip
def test_the_command_line_refuses_what_does_not_fit(name, word):
    """A word that is not a value of the dtype, or not exactly one, is an error that names the word."""
    with pytest.raises(ContractError, match=r"x='.*' is not .*, which service 'service' needs"):
        row_of([f"x={word}"], service_of(DTYPES[name][1]))


@pytest.mark.parametrize("body", [b'{"rows":[{"x":1.005}]}', b'{"rows":[{"x":"1.005"}]}'])
def test_http_cuts_no_digit_of_a_decimal(body):
    """A decimal with more digits than its dtype has is refused, as number and as text."""
    endpoint = Endpoint(service_of(DTYPES["Decimal"][1]), MemoryStore(), stale_cache=None, max_rows=10)
    with pytest.raises(ContractError, match=r"'x' is Decimal\('1.005'\), expected Decimal"):
        endpoint.decode(body)
    with pytest.raises(ContractError, match=r"'x' is Decimal\('1.005'\), expected Decimal"):
        endpoint.wire.rows({"x": [1.005]}, limit=1)


@pytest.mark.parametrize("dtype", KEY_DTYPES, ids=str)
def test_keys_have_one_rule(dtype):
    """A key of another type is refused by the reader, by rows and by frames alike; a float is not an integer."""
    schema = type("Rows", (pa.DataFrameModel,), {
        "__annotations__": {
            "k": dtype, "event_timestamp": Annotated[pl.Datetime, "us", "UTC"], "v": pl.Int64
        },
        "__doc__": "Rows.", "k": pa.Field(description="key"), "v": pa.Field(description="value"),
        "event_timestamp": pa.Field(description="when"),
    })  # fmt: skip

    def view() -> Frame[schema]:
        """Rows."""

    service = feature_service("s", (feature_view(entity=Entity("k", ("k",)), owner="me")(view),), owner="me")
    endpoint = Endpoint(service, MemoryStore(), stale_cache=None, max_rows=1)
    check = endpoint.reader._keys["k"]  # a lookup needs a store
    kinds = {pl.Boolean: bool, pl.String: str, pl.Binary: bytes}

    def of_frame(value):
        return entity_rows_of(pl.DataFrame({"k": [value]}), service, with_timestamp=False)["k"].item()

    def of_rows(value):
        rows = rows_given([{"k": value}], service.key_schema, "s")
        return entity_rows_of(rows, service, with_timestamp=False)["k"].item()

    for value in (True, 1, 1.0, -1, 300, "1", b"1", Decimal(1)):
        fits = type(value) is kinds.get(dtype, int)
        if fits and dtype not in kinds:
            fits = pl.select(low=dtype.min()).item() <= value <= pl.select(high=dtype.max()).item()
        wanted = value if fits else ContractError
        for door in (check, of_frame, of_rows):
            assert outcome(lambda door=door, value=value: door(value)) == wanted, (dtype, value, door)
