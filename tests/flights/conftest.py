"""Real rows of the flights data, a handful each, as the gate hands them on."""

from datetime import UTC, datetime

import polars as pl
import pytest

from feature_repo.flights import flights

ZONE_OF = {
    "BQN": "America/Puerto_Rico",
    "EWR": "America/New_York",
    "FLL": "America/New_York",
    "HNL": "Pacific/Honolulu",
    "IAH": "America/Chicago",
    "JFK": "America/New_York",
    "LAX": "America/Los_Angeles",
    "PBI": "America/New_York",
    "PHX": "America/Phoenix",
    "RDU": "America/New_York",
    "SJU": "America/Puerto_Rico",
}
FLIGHT = {
    "year": 2013,
    "month": 1,
    "day": 1,
    "dep_time": None,
    "sched_dep_time": 900,
    "dep_delay": None,
    "arr_time": None,
    "arr_delay": None,
    "carrier": "UA",
    "flight": 1,
    "tailnum": "N14228",
    "origin": "EWR",
    "dest": "IAH",
    "air_time": None,
    "distance": 1400,
    "time_hour": datetime(2013, 1, 1, 14, tzinfo=UTC),
}


@pytest.fixture
def flights_of():
    """Run the flights dataset over raw rows, each given by what differs from a flight that never left."""
    places = pl.LazyFrame({"airport": list(ZONE_OF), "time_zone": list(ZONE_OF.values())})

    def run(*rows, planes=("N14228",), weather=()):
        integer = dict.fromkeys(("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"), pl.Int64)
        raw = pl.DataFrame(
            [FLIGHT | row for row in rows],
            schema_overrides={**integer, "tailnum": pl.String, "time_hour": pl.Datetime("us", "UTC")},
        )
        seen = pl.LazyFrame(
            {"origin": [o for o, _ in weather], "time_hour": [h for _, h in weather]},
            schema={"origin": pl.String, "time_hour": pl.Datetime("us", "UTC")},
        )
        planes_table = pl.LazyFrame({"tailnum": list(planes)}, schema={"tailnum": pl.String})
        return flights.function(raw.lazy(), places, planes_table, seen).collect()

    return run
