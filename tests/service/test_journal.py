"""The journal: metrics, log lines and served vectors are written in the background, bounded, and complete at the end."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families
from serving import ROW, eventually, running

from featurestore.errors import MissingDataError, SkewError
from featurestore.service.lookup.endpoint import Endpoint
from featurestore.service.telemetry import served_log
from featurestore.service.telemetry.journal import VALUE_BYTES, Entry, Journal
from featurestore.service.telemetry.metric_table import METRICS
from featurestore.service.telemetry.metrics import Metrics
from featurestore.service.telemetry.served_log import ServedLog


def test_metrics_by_service_and_view(client):
    """Metrics count requests, rows, misses and expired rows, and observe ages."""
    client.vectors(ROW, {"customer": 9, "basket": 1.0})
    client.vectors(ROW, as_of="2024-01-14T00:00:00Z")
    client.vectors(ROW, service="none")
    last = ("featurestore_requests_total", "/v1/vectors/{service}", "404")
    eventually(lambda: last in client.metrics(), "the journal did not deliver the last request")
    metrics = client.metrics()
    assert metrics["featurestore_requests_total", "/v1/vectors/{service}", "200"] == 2
    assert metrics["featurestore_rows_total", "buying"] == 3
    assert metrics["featurestore_misses_total", "last_order"] == 1
    assert metrics["featurestore_expired_total", "last_order"] == 1
    assert metrics["featurestore_service_seconds_count", "buying"] == 2
    assert metrics["featurestore_view_seconds_count", "last_order"] == 2
    assert metrics["featurestore_feature_age_seconds_sum", "last_order"] == 2 * 86_400 + 6 * 86_400
    assert metrics["featurestore_journal_dropped",] == 0


def test_the_table_of_metrics_has_every_metric_and_no_other():
    """What the server exposes is declared in one table, with a help text for each metric."""
    text = Metrics(shared=False).text(Journal([])).decode()
    exposed = {family.name: family.documentation for family in text_string_to_metric_families(text)}
    assert exposed == {metric.name: metric.help for metric in METRICS}


def test_metrics_ignore_the_folder_that_feast_sets(client, monkeypatch, tmp_path):
    """Feast names a folder for its own metrics; a server with one worker does not read it."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    client.vectors(ROW)
    eventually(lambda: ("featurestore_requests_total", "/v1/vectors/{service}", "200") in client.metrics())


@pytest.mark.parametrize("keys", [False, True])
def test_log_lines_are_json_and_have_keys_only_on_request(stored, capfd, keys):
    """Each request has one line with its id, service, rows, milliseconds and status."""
    with running(stored.settings.root, log_requests=True, log_keys=keys) as client:
        client.vectors({"customer": 31337, "basket": 1.0})
        client.vectors({"customer": "31337", "basket": 1.0})
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    first, second = (line for line in lines if line["event"] == "request")
    assert (first["service"], first["rows"], first["status"]) == ("buying", 1, 200)
    assert (second["status"], second["error"]) == (422, "InvalidRequest")
    assert first["request_id"] != second["request_id"]
    assert ("31337" in str(lines)) is keys


def test_served_features_are_logged_and_replay(shop):
    """The historical join gives the logged values bit for bit."""
    shop.materialize()
    with pytest.raises(MissingDataError, match="nothing was logged yet"):
        shop.replay("buying")
    with running(shop.settings.root, log_features=1.0) as client:
        for customer in range(5):
            client.vectors({"customer": customer, "basket": 0.1}, {"customer": None, "basket": 0.2})
        client.post(
            "/get-online-features", {"features": ["last_order:amount"], "entities": {"customer": [1]}}
        )
    logged = pl.read_parquet(shop.layout.served("buying") / "**/*.parquet")
    assert logged.height == 10
    assert logged["request_id"].n_unique() == 5
    assert set(logged["event_timestamp"]) == {datetime(2024, 1, 10, tzinfo=UTC)}
    record = shop.replay("buying")
    assert (record.cells, record.mismatches) == (40, 0)


def test_replay_finds_a_store_that_was_behind(shop):
    """The error names the value of training and the value that was served."""
    shop.materialize(until="2024-01-08T12:00:00Z")
    with running(shop.settings.root, log_features=1.0) as client:
        client.vectors({"customer": 2, "basket": 1.0}, {"customer": 3, "basket": 1.0})
    record = shop.replay("buying")
    assert record.mismatches == 5
    with pytest.raises(SkewError, match=r"offline 8\.0 \(PRESENT\), online 7\.0 \(PRESENT\)"):
        record.require_parity()


def test_rows_that_cannot_be_written_wait_up_to_a_limit(shop, monkeypatch, capfd):
    """A full disk loses only the rows beyond the limit, which are counted."""
    monkeypatch.setattr(served_log, "ROWS_PER_FILE", 1)
    monkeypatch.setattr(served_log, "MAX_ROWS", 3)
    shop.materialize()
    refusing = shop.layout.data / "served"
    refusing.write_text("")
    with running(shop.settings.root, log_features=1.0) as client:
        for _ in range(5):
            assert client.vectors(ROW).status_code == 200
        eventually(lambda: client.state.served_log.dropped == 2)
        assert client.metrics()["featurestore_served_rows_dropped_total", "buying"] == 2
        refusing.unlink()
    assert pl.read_parquet(shop.layout.served("buying") / "**/*.parquet").height == 3
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    [failed] = [line for line in lines if line["event"] == "served_features_failed"]
    assert "cannot be written" in failed["error"]


def test_rows_that_cannot_be_written_at_the_end_are_counted(shop, capfd):
    """The server ends as usual."""
    shop.materialize()
    (shop.layout.data / "served").write_text("")
    with running(shop.settings.root, log_features=1.0) as client:
        assert client.vectors(ROW).status_code == 200
    assert client.state.served_log.dropped == 1
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [(line["waiting"], line["dropped"]) for line in lines] == [(0, 1)]


def test_a_share_of_requests_is_chosen_by_their_ids(shop):
    """Servers that pass an id on log the same requests."""
    shop.materialize()
    with running(shop.settings.root, log_features=0.5) as client:
        for _ in range(2):
            for number in range(20):
                client.vectors(ROW, request_id=f"request-{number}")
    logged = pl.read_parquet(shop.layout.served("buying") / "**/*.parquet")["request_id"]
    assert 0 < logged.n_unique() < 20
    assert logged.len() == 2 * logged.n_unique()


def test_a_full_journal_drops_and_counts_new_entries():
    """Memory is bounded."""
    delivered = []
    journal = Journal([delivered.extend], limit=3)
    for number in range(5):
        journal.put(Entry(request_id=str(number), at=0.0, method="GET"))
    journal.start()
    journal.close()
    assert [entry.request_id for entry in delivered] == ["0", "1", "2"]
    assert journal.dropped == 2


def test_a_failing_observer_does_not_stop_the_others(capfd):
    """The failure is logged."""
    delivered = []

    def failing(_):
        raise ValueError("full disk")

    journal = Journal([failing, delivered.extend])
    journal.put(Entry(request_id="1", at=0.0, method="GET"))
    journal.start()
    journal.close()
    assert len(delivered) == 1
    assert "full disk" in capfd.readouterr().err


@pytest.fixture
def answered(stored):
    """An answer of one row, as the journal gets it."""
    endpoint = Endpoint(stored.catalog.service("buying"), stored.store(), stale_cache=None, max_rows=100)
    as_of = stored.settings.now()
    rows = [(3, 16.0)]
    vectors = endpoint.reader.read_checked(rows, as_of=as_of)

    def entry(number, size=0):
        return Entry(
            request_id=f"{number}",
            at=0.0,
            method="POST",
            endpoint=endpoint,
            as_of=as_of,
            row_count=1,
            request_rows=rows,
            vectors=vectors,
            size=size,
        )

    return entry


def test_answers_of_one_service_wait_in_one_frame(stored, answered):
    """A frame for each answer took 10 kB: 20,000 answers of one row took 200 MB."""
    log = ServedLog(stored.layout, 1.0)
    log([answered(number) for number in range(1_000)])
    [[frame]] = log._waiting.values()
    assert frame["request_id"].to_list() == [f"{number}" for number in range(1_000)]
    assert frame.estimated_size() < 300 * 1_000
    log.close()
    assert pl.read_parquet(stored.layout.served("buying") / "**/*.parquet").equals(frame)


def test_rows_and_vectors_that_wait_have_a_limit_in_bytes(answered):
    """Beyond it, a request is counted without its rows, which are counted as lost."""
    delivered, lost = [], []
    width = len(answered(0).vectors.features) + 2
    journal = Journal(
        [delivered.extend],
        max_bytes=2 * (VALUE_BYTES * width + 1_000),
        on_lost_rows=lambda *rows: lost.append(rows),
    )
    for number in range(4):
        journal.put(answered(number, size=1_000))
    assert journal.waiting_bytes == 2 * (VALUE_BYTES * width + 1_000)
    journal.start()
    journal.close()
    assert [entry.vectors is None for entry in delivered] == [False, False, True, True]
    assert lost == [("buying", 1), ("buying", 1)]
    assert (journal.dropped, journal.waiting_bytes) == (0, 0)


def test_the_size_of_an_answer_counts_towards_the_limit(shop):
    """Text of a key can be as large as a body."""
    shop.materialize()
    with running(shop.settings.root, log_features=1.0) as client:
        taken = []
        put = client.state.journal.put
        client.state.journal.put = lambda entry: (taken.append(entry.size), put(entry))
        body = len(client.vectors(ROW).content)
    assert taken[0] > body > 0


def test_rows_are_written_when_nothing_follows_them(shop, monkeypatch):
    """A process that is killed in a quiet minute loses no row that has waited for the stated interval."""
    monkeypatch.setattr(served_log, "SECONDS_PER_FILE", 0.1)
    shop.materialize()
    with running(shop.settings.root, log_features=1.0) as client:
        assert client.vectors(ROW).status_code == 200
        eventually(lambda: [*shop.layout.served("buying").rglob("*.parquet")], "the row was not written")


def test_rows_wait_for_the_stated_interval_from_the_first_of_them(stored, answered, monkeypatch):
    """A row after a quiet time does not make a file of its own at once."""
    monkeypatch.setattr(served_log, "SECONDS_PER_FILE", 1_000)
    log = ServedLog(stored.layout, 1.0)
    log([answered(1)])
    log([])
    log([answered(2)])
    assert not stored.layout.served("buying").exists()
    monkeypatch.setattr(log, "_next_write", 0.0)
    log([])
    assert pl.read_parquet(stored.layout.served("buying") / "**/*.parquet")["request_id"].to_list() == [
        "1",
        "2",
    ]


def test_waiting_rows_have_a_limit_in_bytes(stored, answered, monkeypatch):
    """Rows of long text are few; a full disk keeps no more of them than the limit."""
    monkeypatch.setattr(served_log, "BYTES_PER_FILE", 1)
    monkeypatch.setattr(served_log, "MAX_BYTES", 1)
    (stored.layout.data / "served").write_text("")
    log = ServedLog(stored.layout, 1.0)
    for number in range(3):
        log([answered(number)])
    assert log.dropped == 2
