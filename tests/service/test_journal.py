"""What is told of requests: metrics, log lines, served vectors; off the hot path, bounded, and complete at the end."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families
from serving import ROW, eventually, running

from featurestore.errors import MissingDataError, SkewError
from featurestore.service.telemetry import served_log as served
from featurestore.service.telemetry.journal import Entry, Journal


def samples(client):
    """Read all metrics, once the journal has told of what was asked so far."""
    return {
        (s.name, *sorted(s.labels.values())): s.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for s in family.samples
    }


def test_metrics_by_service_and_view(client):
    """Requests, rows, misses, expired rows, ages."""
    client.vectors(ROW, {"customer": 9, "basket": 1.0})
    client.vectors(ROW, as_of="2024-01-14T00:00:00Z")
    client.vectors(ROW, service="none")
    told = ("featurestore_requests_total", "/v1/vectors/{service}", "404")
    eventually(lambda: told in samples(client))
    found = samples(client)
    assert found["featurestore_requests_total", "/v1/vectors/{service}", "200"] == 2
    assert found["featurestore_rows_total", "buying"] == 3
    assert found["featurestore_misses_total", "last_order"] == 1
    assert found["featurestore_expired_total", "last_order"] == 1
    assert found["featurestore_service_seconds_count", "buying"] == 2
    assert found["featurestore_view_seconds_count", "last_order"] == 2
    assert found["featurestore_feature_age_seconds_sum", "last_order"] == 2 * 86_400 + 6 * 86_400
    assert found["featurestore_journal_dropped",] == 0


def test_metrics_are_ours_whatever_feast_sets_for_itself(client, monkeypatch, tmp_path):
    """Feast, once imported, names a folder of its own metrics: a server of one worker does not look there."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    client.vectors(ROW)
    eventually(lambda: ("featurestore_requests_total", "/v1/vectors/{service}", "200") in samples(client))


@pytest.mark.parametrize("keys", [False, True])
def test_log_lines_are_json_and_name_no_keys_unless_told_to(shop, capfd, keys):
    """One line for each request, with its id, service, rows, milliseconds and status."""
    shop.materialize()
    with running(shop.settings.root, log_requests=True, log_keys=keys) as client:
        client.vectors({"customer": 31337, "basket": 1.0})
        client.vectors({"customer": "31337", "basket": 1.0})
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    first, second = (line for line in lines if line["event"] == "request")
    assert (first["service"], first["rows"], first["status"]) == ("buying", 1, 200)
    assert (second["status"], second["error"]) == (422, "InvalidRequest")
    assert first["request_id"] != second["request_id"]
    assert ("31337" in str(lines)) is keys


def test_what_was_served_is_logged_and_replays(shop):
    """Request id, moment, versions, what was asked and answered; the historical join gives the same, bit for bit."""
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


def test_a_store_that_was_behind_is_found_out_by_replay(shop):
    """Served at noon from a store brought to nine: the difference is named."""
    shop.materialize(until="2024-01-08T12:00:00Z")
    with running(shop.settings.root, log_features=1.0) as client:
        client.vectors({"customer": 2, "basket": 1.0}, {"customer": 3, "basket": 1.0})
    record = shop.replay("buying")
    assert record.mismatches == 5
    with pytest.raises(SkewError, match=r"offline 8\.0 \(PRESENT\), online 7\.0 \(PRESENT\)"):
        record.require_parity()


def test_what_cannot_be_written_waits_and_beyond_a_bound_is_counted(shop, monkeypatch, capfd):
    """A full disk loses nothing that it need not, and what it does is told."""
    monkeypatch.setattr(served, "ROWS_PER_FILE", 1)
    monkeypatch.setattr(served, "MAX_ROWS", 3)
    shop.materialize()
    refusing = shop.layout.data / "served"
    refusing.write_text("")
    with running(shop.settings.root, log_features=1.0) as client:
        for _ in range(5):
            assert client.vectors(ROW).status_code == 200
        eventually(lambda: client.state.served_log.dropped == 2)
        refusing.unlink()
    assert pl.read_parquet(shop.layout.served("buying") / "**/*.parquet").height == 3
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    [failed] = [line for line in told if line["event"] == "served_features_failed"]
    assert "cannot be written" in failed["error"]


def test_what_cannot_be_written_at_the_end_is_counted(shop, capfd):
    """The server ends as ever."""
    shop.materialize()
    (shop.layout.data / "served").write_text("")
    with running(shop.settings.root, log_features=1.0) as client:
        assert client.vectors(ROW).status_code == 200
    assert client.state.served_log.dropped == 1
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [(line["waiting"], line["dropped"]) for line in told] == [(0, 1)]


def test_a_share_of_requests_is_chosen_by_their_ids(shop):
    """So that servers that pass an id on choose alike."""
    shop.materialize()
    with running(shop.settings.root, log_features=0.5) as client:
        for _ in range(2):
            for number in range(20):
                client.vectors(ROW, request_id=f"request-{number}")
    logged = pl.read_parquet(shop.layout.served("buying") / "**/*.parquet")["request_id"]
    assert 0 < logged.n_unique() < 20
    assert logged.len() == 2 * logged.n_unique()


def test_a_journal_that_is_full_drops_and_counts():
    """Memory is bounded, whatever comes."""
    told = []
    journal = Journal([told.extend], limit=3)
    for number in range(5):
        journal.put(Entry(request_id=str(number), at=0.0, method="GET"))
    journal.start()
    journal.close()
    assert [entry.request_id for entry in told] == ["0", "1", "2"]
    assert journal.dropped == 2


def test_one_teller_that_fails_silences_no_other(capfd):
    """And the failure is said."""
    told = []

    def failing(_):
        raise ValueError("full disk")

    journal = Journal([failing, told.extend])
    journal.put(Entry(request_id="1", at=0.0, method="GET"))
    journal.start()
    journal.close()
    assert len(told) == 1
    assert "full disk" in capfd.readouterr().err
