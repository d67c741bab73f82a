"""A view without an entity has one value for all: built, served, pushed, deleted, audited and proved as any other."""

import shutil
from datetime import UTC, date, datetime

import polars as pl
import pytest
from rates import build_rates
from runner import run
from serving import running

import featurestore
from featurestore.errors import ContractError, DefinitionError
from featurestore.values.codec import CHECKSUM_BYTES, seal

NOW = datetime(2024, 1, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A shop with exchange rates: validated, built, registered and materialized once."""
    return build_rates(tmp_path_factory.mktemp("rates"))


@pytest.fixture
def project(built, tmp_path):
    """A copy that a test may change."""
    return featurestore.open(shutil.copytree(built.settings.root, tmp_path / "copy"))


def at(*days, **columns):
    """Return entity rows at noon of days."""
    times = [datetime(2024, 1, day, 12, tzinfo=UTC) for day in days]
    return pl.DataFrame({**columns, "event_timestamp": times})


def rate(usd, event, **columns):
    """Return one row of the view."""
    return pl.DataFrame({"usd": [usd], "event_timestamp": [event], "day": [event.date()], **columns})


def test_entity_rows_need_only_their_timestamp(built):
    """Each row gets the rate that was known then: not the late one of the 4th before the 6th, none after three days."""
    joined = built.historical(at(1, 4, 5, 7, 8, 9), "exchange")
    assert joined["usd"].to_list() == [1.10, None, 1.05, 1.05, 1.5, 1.75]
    assert joined.columns == ["event_timestamp", "usd", "day"]
    assert built.historical(at(9, 9), ["rates:usd"])["usd"].to_list() == [1.75, 1.75]


def test_a_service_mixes_views_with_and_without_an_entity(built):
    """The rate is the same for all customers, also for one that is unknown or missing; on-demand views read it."""
    rows = at(9, 9, 9, customer=[1, 99, None], price=[2.0, 3.0, 4.0])
    joined = built.historical(rows, "abroad")
    assert joined.select("amount", "usd", "dollars").rows() == [
        (None, 1.75, 3.5), (None, 1.75, 5.25), (None, 1.75, 7.0),
    ]  # fmt: skip
    online = built.get_online(rows.select("customer", "price"), "abroad", statuses=True)
    assert online.select("usd", "dollars", "amount__status", "usd__status").rows() == [
        (1.75, 3.5, 2, 1), (1.75, 5.25, 3, 1), (1.75, 7.0, 3, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [[{}], [{}, {}], pl.DataFrame([{}, {}])], ids=["one", "two", "frame"])
def test_each_empty_row_gets_a_vector(built, rows):
    """A request without keys has as many vectors as rows; a reader agrees."""
    answer = built.get_online(rows, "exchange", statuses=True)
    assert answer.rows() == [(1.75, date(2024, 1, 8), 1, 1)] * len(rows)
    vectors = built.reader("exchange").read([{}] * len(rows), as_of=NOW)
    assert vectors.values == [[1.75, date(2024, 1, 8)]] * len(rows)


def test_no_row_gets_no_vector(built):
    """A request without rows has no answer and no error."""
    assert built.get_online([], "exchange").height == 0
    assert built.reader("exchange").read([], as_of=NOW).values == []


def test_both_wires_answer_without_keys(built):
    """Feast's wire counts rows by Feast's placeholder key, or answers one; other columns are refused on both wires."""
    feast = {"feature_service": "exchange"}
    with running(built.settings.root) as client:
        ours = client.vectors({}, {}, service="exchange").json()
        single = client.post("/get-online-features", {**feast, "entities": {}}).json()
        double = client.post("/get-online-features", {**feast, "entities": {"__dummy_id": ["", ""]}}).json()
        entities = {"customer": [1], "price": [2.0], "__dummy_id": [""]}
        mixed = client.post(
            "/get-online-features", {"feature_service": "abroad", "entities": entities}
        ).json()
        refused = [
            client.vectors({"customer": 1}, service="exchange").status_code,
            client.post("/get-online-features", {**feast, "entities": {"customer": [1]}}).status_code,
            client.post(
                "/get-online-features",
                {
                    "feature_service": "buying",
                    "entities": {"customer": [1], "basket": [1.0], "__dummy_id": [""]},
                },
            ).status_code,
        ]
        listed = client.get("/v1/services").json()["services"]
        described = client.get("/openapi.json")
    assert ours["values"] == [[1.75, "2024-01-08"]] * 2
    assert single["results"][0]["values"] == [1.75]
    assert double["results"][0]["values"] == [1.75, 1.75]
    assert single["metadata"]["feature_names"] == ["usd", "day"]
    assert dict(zip(mixed["metadata"]["feature_names"], mixed["results"], strict=True))["dollars"][
        "values"
    ] == [3.5]
    assert refused == [422, 422, 422]
    assert next(s["keys"] for s in listed if s["name"] == "exchange") == {}
    assert described.status_code == 200


def test_what_was_served_is_replayed(project):
    """Logged answers without keys, before and after a deletion, are what the join gives."""
    with running(project.settings.root, log_features=1.0) as client:
        assert client.vectors({}, {}, service="exchange").json()["values"][0][0] == 1.75
        assert client.vectors({"customer": 1, "price": 2.0}, service="abroad").status_code == 200
        project.delete("rates", pl.DataFrame([{}]))
        assert client.vectors({}, service="exchange").json()["statuses"] == [[3, 3]]
    for service, vectors in (("exchange", 3), ("abroad", 1)):
        record = project.replay(service)
        assert (record.vectors, record.mismatches) == (vectors, 0)


def test_rows_of_a_remote_feast_store_have_its_placeholder_key(project):
    """The key is left out of the rows; for a view with an entity it is an unknown column."""
    df = {
        "usd": [4.0],
        "event_timestamp": ["2024-01-09T20:00:00Z"],
        "day": ["2024-01-09"],
        "__dummy_id": [""],
    }
    with running(project.settings.root) as client:
        pushed = client.post("/write-to-online-store", {"feature_view_name": "rates", "df": df})
        refused = client.post("/write-to-online-store", {"feature_view_name": "last_order", "df": df})
        assert (pushed.status_code, refused.status_code) == (200, 422)
        assert client.vectors({}, service="exchange").json()["values"][0][0] == 4.0


def test_what_is_pushed_is_known_from_then_on(project):
    """Serving has the new rate at once, training from the time of the push, and the audit finds nothing."""
    done = project.push("rates", rate(2.0, datetime(2024, 1, 9, 20, tzinfo=UTC)))
    assert (done.rows, done.rows_applied) == (1, 1)
    assert project.get_online([{}], "exchange")["usd"].to_list() == [2.0]
    assert project.historical(at(9, 10), "exchange")["usd"].to_list() == [1.75, 2.0]
    repeated = project.push("rates", rate(2.0, datetime(2024, 1, 9, 20, tzinfo=UTC)))
    assert (repeated.repeated, repeated.rows_applied) == (1, 0)
    assert project.audit().mismatches == 0


def test_a_deletion_removes_the_one_value_for_all(project):
    """It is not found online and in training from then on, until a row of a later event arrives."""
    assert project.delete("rates", pl.DataFrame()) == 0
    assert project.delete("rates", pl.DataFrame([{}, {}])) == 1
    assert project.delete("rates", pl.DataFrame([{}])) == 0
    assert project.get_online([{}], "exchange", statuses=True)["usd__status"].to_list() == [3]
    assert project.historical(at(9, 10), "exchange")["usd"].to_list() == [1.75, None]
    project.materialize(full=True)
    assert project.get_online([{}], "exchange")["usd"].to_list() == [None]
    explained = project.explain(at(10), ["rates"])["rates"]
    assert explained["verdict"].to_list() == ["older"] * 4 + ["deleted"]
    assert project.audit().mismatches == 0
    older = project.push("rates", rate(9.0, datetime(2024, 1, 9, tzinfo=UTC)))
    assert (older.deleted, older.rows_applied) == (1, 0)


def test_explain_shows_the_row_that_answers(built):
    """All rows of the view are rows of its one key."""
    explained = built.explain(at(7), ["rates:usd"])["rates"]
    assert explained["verdict"].to_list() == ["older", "older", "answer", "later", "later"]


def test_the_audit_and_the_proof_cover_it(built):
    """The store, the training set and every serving path are compared, with and without keys in the service."""
    record = built.audit()
    assert record.mismatches == 0
    assert [(part.name, part.rows, part.cells) for part in record.views] == [
        ("last_order", 3, 9),
        ("rates", 1, 2),
    ]
    assert ("days", 5) in [(part.name, part.rows) for part in record.training_sets]
    assert {part.path for part in record.paths if part.name == "exchange"} == {
        "get_online", "reader", "HTTP /v1/vectors", "HTTP /get-online-features",
    }  # fmt: skip
    proof = built.prove(cases=8)
    assert proof.differences == ()
    assert {"rates"} <= set(proof.views)
    assert {"exchange", "abroad"} <= set(proof.services)


def test_a_store_with_another_value_is_found(project):
    """A view without rows that the store still holds, or with another value, fails the audit with an empty key."""
    store = project._workspace.store()
    state = store.state("rates")
    [(key, row)] = list(store.scan("rates"))
    content = row[:-CHECKSUM_BYTES]
    store.write("rates", [(key, seal(key, content[:-1] + bytes([content[-1] ^ 1])))], state, replace=True)
    record = project.audit()
    assert record.mismatches > 0
    assert (record.differences[0].view, record.differences[0].key) == ("rates", "")


def test_the_commands_need_no_keys(project):
    """`get-online`, `explain` and `delete` take the view alone; a key that it does not have is refused."""
    root = project.settings.root
    assert run("get-online", "exchange", cwd=root).stdout.startswith("exchange for all\n")
    assert run("get-online", "exchange", "--example", cwd=root).returncode == 0
    assert "1 answer" in run("explain", "rates", "--at", "2024-01-07T00:00:00Z", cwd=root).stdout
    refused = run("delete", "rates", "customer=1", cwd=root)
    assert refused.returncode == 2
    assert "it needs no values" in " ".join(refused.stderr.split())
    assert run("delete", "rates", cwd=root).stdout == "rates: 1 key deleted\n"
    assert run("delete", "last_order", cwd=root).returncode != 0


def test_what_changes_is_listed_without_keys(built):
    """Without entity rows, a historical read lists the times at which a row became known."""
    start = datetime(2024, 1, 5, tzinfo=UTC)
    known = built.historical(None, ["rates:usd"], start=start, end=NOW)
    assert known["usd"].to_list() == [1.05, 1.05, 1.5, 1.75]
    with pytest.raises(ContractError, match="different keys"):
        built.historical(None, ["rates:usd", "last_order:amount"], start=start, end=NOW)


def test_rows_cannot_be_split_by_a_key_that_is_not_there(built):
    """`by_key` is refused with the reason."""
    view = built.catalog.view("rates")
    with pytest.raises(DefinitionError, match="entity is None"):
        featurestore.feature_view(entity=None, owner="shop", by_key=True)(view.function)
