"""Every dtype of the value table, and every kind of key, from a raw file to both reads."""

from base64 import b64encode
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import polars as pl
import pytest
from serving import running

import featurestore
from featurestore.errors import ContractError
from featurestore.operations.init.init import init
from featurestore.project.composition import _workspace
from featurestore.values.plain import in_utc_zone

TIMESTAMP = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
SMALLEST = 2**-1074
# Feature: dtype as written in a schema, dtype, two values that are hard to keep.
FEATURES = {
    "flag": ("pl.Boolean", pl.Boolean(), [True, None]),
    "i8": ("pl.Int8", pl.Int8(), [-128, None]),
    "i16": ("pl.Int16", pl.Int16(), [-(2**15), 2**15 - 1]),
    "i32": ("pl.Int32", pl.Int32(), [-(2**31), None]),
    "i64": ("pl.Int64", pl.Int64(), [2**63 - 1, None]),
    "u8": ("pl.UInt8", pl.UInt8(), [255, None]),
    "u16": ("pl.UInt16", pl.UInt16(), [65535, 0]),
    "u32": ("pl.UInt32", pl.UInt32(), [2**32 - 1, None]),
    "u64": ("pl.UInt64", pl.UInt64(), [2**64 - 1, None]),
    "f32": ("pl.Float32", pl.Float32(), [0.10000000149011612, -0.0]),
    "f64": ("pl.Float64", pl.Float64(), [SMALLEST, -0.0]),
    "text": ("pl.String", pl.String(), ["", "naïve\0🦆"]),
    "raw": ("pl.Binary", pl.Binary(), [b"", b"\xff\x00"]),
    "day": ("pl.Date", pl.Date(), [date(1900, 2, 28), None]),
    "at_ms": ('Annotated[pl.Datetime, "ms", "UTC"]', pl.Datetime("ms", "UTC"), [TIMESTAMP, None]),
    "at_kathmandu": (
        'Annotated[pl.Datetime, "us", "Asia/Kathmandu"]',
        pl.Datetime("us", "Asia/Kathmandu"),
        [TIMESTAMP, None],
    ),
    # Python and Polars disagree about the offsets of both before the era of standard time.
    "at_bamako": (
        'Annotated[pl.Datetime, "us", "Africa/Bamako"]',
        pl.Datetime("us", "Africa/Bamako"),
        [datetime(1955, 1, 1, tzinfo=UTC), datetime(1850, 1, 1, tzinfo=UTC)],
    ),
    "at_amsterdam": (
        'Annotated[pl.Datetime, "ms", "Europe/Amsterdam"]',
        pl.Datetime("ms", "Europe/Amsterdam"),
        [datetime(1900, 1, 1, tzinfo=UTC), None],
    ),
    "money": (
        "Annotated[pl.Decimal, 38, 4]",
        pl.Decimal(38, 4),
        [Decimal("1234567890123456789012345678901234.5678"), None],
    ),
    "many": ("Annotated[pl.List, pl.Int64]", pl.List(pl.Int64()), [[2**62, -1], []]),
    "days": ("Annotated[pl.List, pl.Date]", pl.List(pl.Date()), [[date(2024, 2, 29)], None]),
    "gaps": ("Annotated[pl.List, pl.Date]", pl.List(pl.Date()), [[None, date(1969, 12, 31)], []]),
    "times": (
        "Annotated[pl.List, pl.Datetime('us', 'UTC')]",
        pl.List(pl.Datetime("us", "UTC")),
        [[TIMESTAMP, None], None],
    ),
    "times_bamako": (
        "Annotated[pl.List, pl.Datetime('us', 'Africa/Bamako')]",
        pl.List(pl.Datetime("us", "Africa/Bamako")),
        [[None, datetime(1955, 1, 1, tzinfo=UTC)], [None]],
    ),
    "moneys": (
        "Annotated[pl.List, pl.Decimal(38, 4)]",
        pl.List(pl.Decimal(38, 4)),
        [[Decimal("-0.0001"), None], None],
    ),
    "u64s": ("Annotated[pl.List, pl.UInt64]", pl.List(pl.UInt64()), [[2**64 - 1, None], [0]]),
    "words": ("Annotated[pl.List, pl.String]", pl.List(pl.String()), [["a", ""], None]),
    "vector": ("Annotated[pl.Array, pl.Float32, 2]", pl.Array(pl.Float32(), 2), [[1.5, -0.0], None]),
    "nothing": ("pl.String", pl.String(), [None, None]),
}
# Lists with a missing element, which Feast's JSON can hold and its protobuf messages cannot.
GAPS = ("gaps", "times", "times_bamako", "moneys", "u64s")
KEYS = {
    "name": ("pl.String", pl.String(), ["é", ""]),
    "number": ("pl.Int16", pl.Int16(), [-1, 2]),
    "yes": ("pl.Boolean", pl.Boolean(), [True, False]),
    "code": ("pl.Binary", pl.Binary(), [b"\x00", b"\xff"]),
}


@pytest.fixture
def project(tmp_path):
    """A project whose one view has a feature of every dtype, and a composite key of mixed types."""
    init(tmp_path)
    fields = "".join(
        f"    {name}: {written} = pa.Field(nullable={name in FEATURES}, description='{name}', metadata={{'unit': '1'}})\n"
        for name, (written, _, _) in {**KEYS, **FEATURES}.items()
    )
    (tmp_path / "schemas/zoo.py").write_text(
        "from typing import Annotated\nimport pandera.polars as pa\nimport polars as pl\n"
        "class Raw(pa.DataFrameModel):\n"
        f"    event_timestamp: Annotated[pl.Datetime, 'us', 'UTC'] = pa.Field(description='when')\n{fields}"
        "class Zoo(Raw):\n    pass\n"
    )
    (tmp_path / "feature_repo/zoo.py").write_text(
        "from featurestore import *\nfrom schemas.zoo import *\n"
        f"key = Entity('key', {tuple(KEYS)!r})\n"
        "raw = source('raw', Raw, 'data/raw/zoo.parquet', owner='test')\n"
        "@feature_view(entity=key, owner='test')\n"
        "def zoo(raw: Frame[Raw]) -> Frame[Zoo]:\n    '''All dtypes.'''\n    return raw\n"
        "service = feature_service('service', (zoo,), owner='test')\n"
    )
    (tmp_path / "data/raw").mkdir(parents=True)
    rows().with_columns(event_timestamp=pl.lit(TIMESTAMP, pl.Datetime("us", "UTC"))).write_parquet(
        tmp_path / "data/raw/zoo.parquet"
    )
    opened = featurestore.open(tmp_path)
    opened.validate("raw")
    opened.build("zoo")
    return opened


def rows():
    return pl.DataFrame(
        [pl.Series(name, values, dtype) for name, (_, dtype, values) in {**KEYS, **FEATURES}.items()]
    )


def test_both_reads_give_back_what_was_written(project):
    """Both reads give the same values and dtypes, bit for bit, nulls included; the audit agrees."""
    project.materialize()
    entity_rows = rows().select(*KEYS)
    joined = project.historical(entity_rows.with_columns(event_timestamp=TIMESTAMP), "service").select(
        *FEATURES
    )
    served = project.get_online(entity_rows, "service").select(*FEATURES)
    for frame in (joined, served):
        assert frame.schema == rows().select(*FEATURES).schema
        assert frame.equals(rows().select(*FEATURES), null_equal=True)
        assert str(frame["f64"][1]) == "-0.0"
        assert str(frame["vector"][0][1]) == "-0.0"
    read = project.reader("service").read(entity_rows.to_dicts(), as_of=datetime.now(UTC))
    assert read.values == [list(row) for row in in_utc_zone(served).rows()]
    # Over HTTP the values are JSON.
    sent = msgspec.json.decode(msgspec.json.encode(read.values))
    for name in ("at_ms", "at_kathmandu", "at_bamako", "at_amsterdam"):
        texts = [row[read.features.index(name)] for row in sent]
        instants = [None if text is None else datetime.fromisoformat(text) for text in texts]
        assert instants == [value and value.astimezone(UTC) for value in FEATURES[name][2]]
    assert project.audit().mismatches == 0


@pytest.mark.parametrize("position", range(4))
def test_every_serving_path_gives_back_what_was_written(project, position):
    """Also as JSON, in the form of this project and in Feast's."""
    project.materialize()
    workspace = _workspace(project.settings.root)
    path = workspace.serving_paths()[position]
    service = workspace.catalog.service("service")
    read = path.read(rows().select(*KEYS), service, datetime.now(UTC)).select(*FEATURES)
    assert read.schema == rows().select(*FEATURES).schema
    assert read.equals(rows().select(*FEATURES), null_equal=True)
    assert str(read["f64"][1]) == "-0.0"
    assert str(read["vector"][0][1]) == "-0.0"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_feast_gives_back_what_was_written(project):
    """Feast reads the same values, online over its wire and offline as Arrow."""
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    project.apply()
    project.materialize()
    store = FeatureStore(repo_path=str(project.settings.feast_repo))
    service = store.get_feature_service("service")
    keys = rows().select(*KEYS).to_dicts()
    references = [f"zoo:{name}" for name in FEATURES if name not in GAPS]
    online = store.get_online_features(features=references, entity_rows=keys).to_dict()
    with pytest.raises(ContractError, match="a list has a missing element, which Feast's lists cannot hold"):
        store.get_online_features(features=["zoo:gaps"], entity_rows=keys)
    assert online["i64"] == [2**63 - 1, None]
    assert [Decimal(value) if value is not None else None for value in online["u64"]] == [
        Decimal(2**64 - 1),
        None,
    ]
    assert Decimal(online["money"][0]) == FEATURES["money"][2][0]
    assert online["many"][0][0] == 2**62
    assert online["raw"] == [b"", b"\xff\x00"]
    entity_rows = rows().select(*KEYS).with_columns(event_timestamp=TIMESTAMP).to_pandas()
    table = store.get_historical_features(entity_df=entity_rows, features=service).to_arrow()
    assert (
        pl.DataFrame(table)
        .select("i64", "u64", "money", "day")
        .equals(rows().select("i64", "u64", "money", "day"))
    )


def on_feasts_wire(value, dtype):
    """Write a value as Feast's JSON does: whole seconds, exact numbers as text, bytes as base64."""
    if isinstance(value, list):
        return [on_feasts_wire(item, dtype.inner) for item in value]
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, date):
        return (value - date(1970, 1, 1)).days * 86_400
    if value is not None and (dtype == pl.UInt64 or isinstance(value, Decimal)):
        return str(value)
    return b64encode(value).decode() if isinstance(value, bytes) else value


def test_both_http_wires_give_back_what_was_written(project):
    """Lists with missing elements, timestamps of named zones before standard time, and exact numbers too."""
    project.materialize()
    names = [name for name in FEATURES if name != "f64"]  # JSON may write the smallest float in any digits
    keys = msgspec.to_builtins(rows().select(*KEYS).to_dicts())
    written = [[FEATURES[name][2][i] for name in names] for i in range(2)]
    with running(project.settings.root) as client:
        own = client.post("/v1/vectors/service", {"rows": keys})
        assert own.status_code == 200, own.text
        answer = own.json()
        places = [answer["features"].index(name) for name in names]
        values = [[row[place] for place in places] for row in answer["values"]]
        assert values == msgspec.json.decode(msgspec.json.encode(written))
        entities = {name: [row[name] for row in keys] for name in KEYS}
        feast = client.post("/get-online-features", {"feature_service": "service", "entities": entities})
        assert feast.status_code == 200, feast.text
        answer = feast.json()
        columns = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
    for name in names:
        _, dtype, values = FEATURES[name]
        assert columns[name]["values"] == [on_feasts_wire(value, dtype) for value in values], name
        statuses = ["NULL_VALUE" if value is None else "PRESENT" for value in values]
        assert columns[name]["statuses"] == statuses, name
