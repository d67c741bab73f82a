"""Datasets over HTTP: uploaded rows are validated against their contract, and the project's data do not change."""

import json

import polars as pl
import pytest
from serving import eventually, running
from shop import ORDERS, build_shop
from uploading import BODIES, GOOD, HEAD, ROW, TYPED, in_place, send, uploads, written

from featurestore.adapters.bodies import ARROW_FILE, ARROW_STREAM, CSV, JSON_LINES, PARQUET
from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.keys import add_key


@pytest.mark.parametrize("media", BODIES)
def test_rows_of_every_format_are_validated(client, shop, media):
    """The answer has the verdict and the path of the bad rows, and the project's data stay as they are."""
    root, before = shop.settings.root, in_place(shop.settings.root)
    answer = send(client, BODIES[media], media)
    assert answer.status_code == 200, answer.text
    result = answer.json()
    verdict = result["verdict"]
    assert (verdict["decision"], verdict["rows_in"], verdict["rows_quarantined"]) == ("quarantined", 7, 1)
    assert [rule["rule"] for rule in verdict["rules"]] == ["customer.greater_than_or_equal_to(1)"]
    assert result["quarantine"] == f"data/uploads/orders/{result['id']}/rows.parquet"
    bad = pl.read_parquet(root / result["quarantine"])
    assert bad.select("source_row", "broken_rules").rows() == [(7, ["customer.greater_than_or_equal_to(1)"])]
    assert json.loads((root / result["quarantine"]).with_name("verdict.json").read_text()) == verdict
    assert in_place(root) == before
    assert uploads(root) == [result["id"]]


def test_the_examples_of_the_document_are_valid_rows(client):
    """They are CSV and JSON lines, for a source and for a view."""
    paths = client.get("/openapi.json").json()["paths"]
    for dataset in ("orders", "last_order"):
        content = paths[f"/v1/datasets/{dataset}/validate"]["post"]["requestBody"]["content"]
        assert list(content) == list(BODIES)
        for media in (CSV, JSON_LINES):
            verdict = send(client, content[media]["example"], media, dataset).json()["verdict"]
            assert (verdict["decision"], verdict["rows_in"]) == ("passed", 1)


def test_numbers_of_json_lines_are_read_exactly(client):
    """A whole number is a float where the contract has one; text in a column of numbers spoils only its row."""
    rows = [
        {"order": i, "customer": 1, "ordered_at": "2024-01-01T00:00:00Z", "loaded_at": None} for i in (1, 2)
    ]
    rows = [row | {"amount": amount, "coupon": None} for row, amount in zip(rows, (7, "much"), strict=True)]
    verdict = send(client, "\n".join(map(json.dumps, rows)), JSON_LINES).json()["verdict"]
    assert [(rule["rule"], rule["examples"]) for rule in verdict["rules"]] == [
        ("amount.dtype(Float64)", ["'much'"])
    ]


@pytest.mark.parametrize("dataset", ["orders", "last_order"])
def test_a_csv_row_with_too_few_fields_is_a_bad_row(client, shop, dataset):
    """A blank line too; the bad rows of the answer have the columns that were sent."""
    columns = shop.catalog.node(dataset).contract.schema.names()
    result = send(client, f"{','.join(columns)}\n1\n\n", CSV, dataset).json()
    assert ("complete_row", 2) in {(rule["rule"], rule["broken"]) for rule in result["verdict"]["rules"]}
    bad = pl.read_parquet(shop.settings.root / result["quarantine"])
    assert bad.columns == ["source_row", *columns, "broken_rules"]
    assert bad.height == 2


def test_a_csv_column_that_occurs_twice_is_refused(client):
    """The body of a request too keeps all its columns, or is refused."""
    answer = send(client, "order,order\n1,2\n", CSV)
    assert answer.status_code == 422
    assert "1 name more than once: 'order'" in answer.text


def test_good_rows_pass_and_bad_ones_are_refused_with_200(client, shop):
    """The body has the decision; the status is 200 for every verdict."""
    good = send(client, GOOD).json()
    assert (good["verdict"]["decision"], good["quarantine"]) == ("passed", None)
    bad = HEAD + ROW.replace("1,1,", "1,0,")
    answer = send(client, bad)
    assert (answer.status_code, answer.json()["verdict"]["decision"]) == (200, "refused")
    assert (shop.settings.root / answer.json()["quarantine"]).exists()
    empty = send(client, HEAD).json()
    assert (empty["verdict"]["decision"], empty["quarantine"]) == ("refused", None)


def test_corrected_rows_can_be_uploaded_again(client, shop):
    """Quarantined rows keep their numbers and the rules that they broke."""
    bad = pl.read_parquet(shop.settings.root / send(client, ORDERS).json()["quarantine"])
    again = send(client, written("write_parquet", bad), PARQUET).json()
    assert pl.read_parquet(shop.settings.root / again["quarantine"])["source_row"].to_list() == [7]
    corrected = bad.with_columns(customer=pl.lit("4"))
    assert (
        send(client, written("write_parquet", corrected), PARQUET).json()["verdict"]["decision"] == "passed"
    )


def test_rows_of_a_view_are_validated_as_in_a_build(client, shop):
    """Equal rows count once; two values for one key and version break a rule, with the numbers of the rows."""
    columns = "customer,event_timestamp,created_timestamp,amount,coupon,ordered_at\n"
    first = "3,2024-01-01T00:00:00Z,,1,,2024-01-01T00:00:00Z\n"
    second = "1,2024-01-01T00:00:00Z,,1,,2024-01-01T00:00:00Z\n"
    twice = send(client, columns + first + second + first, dataset="last_order").json()["verdict"]
    assert (twice["decision"], twice["rows_in"]) == ("passed", 2)
    differing = columns + first + second + first.replace(",1,", ",2,")
    result = send(client, differing, dataset="last_order").json()
    assert result["verdict"]["rules"][0]["rule"] == "unique(customer, event_timestamp, created_timestamp)"
    bad = pl.read_parquet(shop.settings.root / result["quarantine"])
    assert sorted(bad["source_row"]) == [1, 3]


@pytest.mark.parametrize(
    ("body", "media", "message"),
    [
        (b"order,customer\n1,1\n", CSV, "lacks 'ordered_at'"),
        (ORDERS.encode()[:-12], CSV, "the body is truncated: it ends in the middle of a row"),
        (b"", CSV, "the body is empty"),
        (BODIES[PARQUET][:-40], PARQUET, "cannot be read as application/vnd.apache.parquet"),
        (BODIES[ARROW_STREAM][:-40], ARROW_STREAM, "cannot be read as application/vnd.apache.arrow.stream"),
        (BODIES[ARROW_FILE][:-40], ARROW_FILE, "cannot be read as application/vnd.apache.arrow.file"),
        (BODIES[JSON_LINES][:-20], JSON_LINES, "cannot be read as application/x-ndjson"),
        (HEAD.replace("st", "s\rt").encode(), CSV, "the body cannot be read as CSV"),
        (
            b'{"order":' + b"[" * 2_000 + b"]" * 2_000 + b"}\n",
            JSON_LINES,
            "cannot be read as application/x-ndjson",
        ),
        (BODIES[PARQUET], ARROW_FILE, "cannot be read as application/vnd.apache.arrow.file"),
    ],
)
def test_a_body_without_a_readable_row_gets_422(client, shop, body, media, message):
    """No part of the body remains."""
    answer = send(client, body, media)
    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "ContractError")
    assert message in answer.json()["error"]["message"]
    assert str(shop.settings.root) not in answer.text
    assert uploads(shop.settings.root) == []


def test_unknown_names_formats_and_parameters_are_refused(client, shop):
    """The answers are 404, 415 and 422, and list what exists."""
    unknown = send(client, ORDERS, dataset="oders")
    assert (unknown.status_code, "did you mean 'orders'?" in unknown.text) == (404, True)
    assert client.get("/v1/datasets/oders/history").status_code == 404
    for media, headers in (
        ("application/json", {}),
        (None, {}),
        ("text/csv; charset=latin-1", {}),
        (CSV, {"content-encoding": "gzip"}),
    ):
        answer = send(client, ORDERS, media, **headers)
        assert (answer.status_code, PARQUET in answer.json()["error"]["hint"]) == (415, True)
    assert send(client, GOOD, "Text/CSV; charset=UTF-8").status_code == 200
    for query in ("?environment=srving", "?enviroment=serving"):
        assert send(client, ORDERS, query=query).status_code == 422
    for query in ("?limit=0", "?limit=many", "?most=1"):
        assert client.get(f"/v1/datasets/orders/history{query}").status_code == 422


def test_the_environment_decides_which_columns_are_required(shop_files):
    """The label of training data is not required where rows are served."""
    schemas = shop_files / "schemas/shop.py"
    label = (
        'description="coupon", metadata={"environments": ["training"]})\n\n    class Config:\n        strict'
    )
    schemas.write_text(
        schemas.read_text().replace('description="coupon")\n\n    class Config:\n        strict', label)
    )
    build_shop(shop_files).materialize()
    without = "".join(line.rsplit(",", 1)[0] + "\n" for line in GOOD.splitlines())
    with running(shop_files) as client:
        assert send(client, without).status_code == 422
        assert send(client, without, query="?environment=training").status_code == 422
        assert send(client, without, query="?environment=serving").json()["verdict"]["decision"] == "passed"


def test_history_and_listing_have_the_projects_own_runs(client, shop):
    """Runs are newest last; an upload is not a run."""
    (shop.settings.root / "data/raw/orders.csv").write_text(GOOD)
    shop.validate("orders")
    send(client, HEAD)
    answer = client.get("/v1/datasets/orders/history").json()
    assert (answer["dataset"], [run["decision"] for run in answer["runs"]]) == (
        "orders",
        ["quarantined", "passed"],
    )
    assert [run["metrics"][0] for run in answer["runs"]] == [
        {"kind": "rows", "value": 7.0},
        {"kind": "rows", "value": 6.0},
    ]
    last = client.get("/v1/datasets/orders/history?limit=1").json()["runs"]
    assert last == answer["runs"][1:]
    listed = client.get("/v1/datasets").json()["datasets"]
    assert [(d["name"], d["kind"], d["contract"], d["verdict"]["decision"]) for d in listed] == [
        ("orders", "source", "RawOrders", "passed"),
        ("last_order", "feature view", "LastOrder", "passed"),
    ]


def test_a_release_validates_by_its_own_contracts(shop):
    """Later changes of the project's definitions do not count, and the history is the project's."""
    shop.materialize()
    shop.release()
    schemas = shop.settings.root / "schemas/shop.py"
    schemas.write_text(schemas.read_text().replace("ge=1, description", "ge=0, description"))
    with running(shop.settings.root) as client:
        answer = send(client, ORDERS)
        assert answer.headers["x-release"] == "0001"
        assert answer.json()["verdict"]["decision"] == "quarantined"
        assert (shop.settings.root / answer.json()["quarantine"]).exists()
        assert len(client.get("/v1/datasets/orders/history").json()["runs"]) == 1


def test_validation_needs_a_scope_of_its_own(shop):
    """A key for certain services may use no dataset."""
    shop.materialize()
    path = shop.layout.keys
    scopes = {scope: add_key(path, scope.value, scopes=(scope,)) for scope in KeyScope}
    bound = add_key(path, "bound", scopes=tuple(KeyScope), services=("buying",))
    with running(shop.settings.root) as client:

        def statuses():
            posted = send(client, GOOD).status_code
            gets = {client.get(f"/v1/datasets{rest}").status_code for rest in ("", "/orders/history")}
            return posted, *gets

        assert statuses() == (401, 401)
        by_scope = {}
        for scope, client.key in scopes.items():
            by_scope[scope.value] = statuses()
        assert by_scope == {"read": (403, 200), "write": (403, 403), "validate": (200, 403)}
        client.key = bound
        assert statuses() == (403, 403)


def test_rows_are_counted_by_dataset_and_decision(client):
    """Metrics count validated and quarantined rows, and requests by route."""
    for body in (GOOD, ORDERS, ORDERS):
        send(client, body)

    validated = ("featurestore_rows_validated_total", "orders", "quarantined")
    eventually(
        lambda: client.metrics().get(validated) == 14, "the journal did not deliver the last validation"
    )
    metrics = client.metrics()
    assert metrics["featurestore_rows_quarantined_total", "orders", "quarantined"] == 2
    assert metrics["featurestore_rows_validated_total", "orders", "passed"] == 6
    assert metrics["featurestore_rows_quarantined_total", "orders", "passed"] == 0
    assert metrics["featurestore_requests_total", "/v1/datasets/{dataset}/validate", "200"] == 3


def test_personal_values_are_in_no_answer_and_no_log(shop_files, capfdbinary):
    """Values are neither examples, nor text of an unreadable file, nor names in a file without a header."""
    schemas = shop_files / "schemas/shop.py"
    text = schemas.read_text().replace(
        'ge=1, description="who ordered")', 'ge=1, description="who ordered", metadata={"personal": True})'
    )
    mean = '"tolerance": 0.5, "expect": {"mean": {"customer": (None, 10)}}'
    schemas.write_text(text.replace('"tolerance": 0.5', mean, 1))
    build_shop(shop_files).materialize()
    row = ROW.replace("1,1,", "1,-31337,")
    with running(shop_files, log_requests=True) as client:
        answers = [
            send(client, HEAD + row),
            send(client, HEAD + row.replace("-31337", "31337")),
            send(client, row),
            send(client, HEAD + row.strip() + ",too,many\n"),
            send(client, '{"customer": 31337, "order": -31337', JSON_LINES),
            send(
                client,
                written(
                    "write_parquet",
                    TYPED.with_columns(customer=pl.Series(["31337"] * 7, dtype=pl.Categorical)),
                ),
                PARQUET,
            ),
            client.get("/v1/datasets/orders/history"),
            client.get("/v1/datasets"),
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 422, 422, 422, 200, 200, 200]
    assert answers[0].json()["verdict"]["rules"][0]["rule"] == "customer.greater_than_or_equal_to(1)"
    assert answers[1].json()["verdict"]["rules"][0]["rule"] == "customer.mean(None, 10)"
    assert not any(
        "31337" in answer.text or "customer.mean" in str(answer.json().get("runs")) for answer in answers
    )
    assert b"31337" not in capfdbinary.readouterr().err
