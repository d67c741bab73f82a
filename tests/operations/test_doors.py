"""Every write passes the same gate, the same log and the same stamp, by whichever door it comes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import polars as pl
import pytest
from runner import run
from serving import running
from shop import build_shop, write_files

from featurestore.errors import FeatureStoreError
from featurestore.storage.log import log_files
from featurestore.timing.join import Status

pytestmark = [
    # Feast 0.67 and what it imports warn about themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

NOW = datetime(2024, 1, 10, tzinfo=UTC)  # the shop's clock
EVENT = NOW - timedelta(hours=2)
FEATURES = ["last_order:amount", "last_order:price"]
YEAR = timedelta(days=367)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)
PRICE = Decimal("12345678901234567890.12")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The shop, materialized, with a limit for amounts and an exact price."""
    folder = write_files(tmp_path_factory.mktemp("doors"))
    schema = folder / "schemas/shop.py"
    text = schema.read_text().replace(
        "amount: pl.Float32 = pa.Field(", "amount: pl.Float32 = pa.Field(le=100, "
    )
    price = "    price: Annotated[pl.Decimal, 38, 2] = pa.Field(nullable=True, description='price', metadata={'unit': 'EUR'})\n"
    text = text.replace("\n\nclass Basket", f"{price}\n\nclass Basket")
    schema.write_text(text)
    views = folder / "feature_repo/shop.py"
    views.write_text(
        views.read_text().replace(
            'created_timestamp="loaded_at",',
            'created_timestamp="loaded_at", price=pl.lit(None, pl.Decimal(38, 2)),',
        )
    )
    built = build_shop(folder)
    built.apply()
    built.materialize()
    return built


@pytest.fixture(scope="module")
def client(project):
    with running(project.settings.root) as client:
        yield client


@pytest.fixture(scope="module")
def store(project):
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    return FeatureStore(repo_path=str(project.settings.feast_repo))


def require(answer):
    if answer.status_code != 200:
        raise FeatureStoreError(answer.text)


def with_created(frame):
    """Add the created timestamp, without which Feast takes no row."""
    return (
        frame
        if "created_timestamp" in frame.columns
        else frame.with_columns(created_timestamp="event_timestamp")
    )


def columns(frame):
    return msgspec.to_builtins(frame.to_dict(as_series=False))


def python(frame, *, project, **_):
    project.push("last_order", frame)


def command_line(frame, *, project, tmp_path, **_):
    path = tmp_path / "rows.parquet"
    frame.write_parquet(path)
    result = run("push", "last_order", str(path), cwd=project.settings.root)
    if result.returncode:
        raise FeatureStoreError(result.stderr)


def json_lines(frame, *, project, tmp_path, **_):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, frame.to_dicts())))
    project.push("last_order", path)


def http(frame, *, client, **_):
    require(client.post("/push", {"push_source_name": "last_order", "df": columns(frame)}))


def http_online(frame, *, client, **_):
    require(client.post("/write-to-online-store", {"feature_view_name": "last_order", "df": columns(frame)}))


def feast_push(frame, *, store, **_):
    store.push("last_order", with_created(frame).to_pandas())


def feast_online(frame, *, store, **_):
    store.write_to_online_store("last_order", df=with_created(frame).to_pandas())


def feast_offline(frame, *, store, **_):
    store.write_to_offline_store("last_order", with_created(frame).to_pandas())


def feast_batch(frame, *, store, **_):
    view = store.get_feature_view("last_order")
    table = with_created(frame).to_arrow()
    store._get_provider().offline_store.offline_write_batch(store.config, view, table, None)


DOORS = (
    python,
    command_line,
    json_lines,
    http,
    http_online,
    feast_push,
    feast_online,
    feast_offline,
    feast_batch,
)


def order(customer, amount, event=EVENT, created=None):
    times = {"event_timestamp": [event], "ordered_at": [event]}
    if created is not None:
        times["created_timestamp"] = [created]
    frame = pl.DataFrame({"customer": [customer], "amount": [amount], "coupon": ["NEW"], **times})
    return frame.with_columns(price=pl.lit(PRICE, pl.Decimal(38, 2)))


@pytest.mark.parametrize("door", DOORS)
def test_each_door_writes_the_same(project, client, store, tmp_path, door):
    """A bad row is refused; good, repeated and late rows, and rows before a deletion, have the same effect."""
    customer = 1_000 * (1 + DOORS.index(door))

    def write(*args, **times):
        door(order(*args, **times), project=project, client=client, store=store, tmp_path=tmp_path)

    def served(number):
        read = project.get_online([{"customer": number}], FEATURES, statuses=True)
        return read.row(0, named=True)

    def writes():
        return log_files(project.layout.pushed("last_order"))[-1:]

    before = writes()
    with pytest.raises(FeatureStoreError, match="amount"):
        write(customer, 750.0)
    for times in ({"event": NOW + YEAR}, {"event": LAST}, {"created": NOW + YEAR}, {"created": LAST}):
        with pytest.raises(FeatureStoreError, match="_timestamp' of 1 row is ahead of the clock, such as"):
            write(customer, 1.0, **times)
    assert (writes(), served(customer)["amount__status"]) == (before, Status.NOT_FOUND)

    write(customer, 42.0)
    good, row = writes(), served(customer)
    assert good != before
    assert (row["amount"], row["price"]) == (42.0, PRICE)
    entity_rows = pl.DataFrame(
        {"customer": [customer] * 2, "event_timestamp": [NOW - timedelta(seconds=1), NOW]}
    )
    assert project.historical(entity_rows, FEATURES)["amount"].to_list() == [None, 42.0]

    write(customer, 42.0)
    assert writes() == good  # a repeated row is logged once
    write(customer, 7.0, EVENT - timedelta(hours=1))
    assert writes() != good
    assert served(customer)["amount"] == 42.0  # a late row is older than the one that is served

    project.delete("last_order", pl.DataFrame({"customer": [customer + 1]}))
    write(customer + 1, 42.0)
    assert served(customer + 1)["amount__status"] == Status.NOT_FOUND  # its event is before the deletion
    assert project.audit().mismatches == 0
