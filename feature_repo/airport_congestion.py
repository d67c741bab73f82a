"""How busy an airport is."""

from datetime import timedelta

import polars as pl

from feature_repo.entities import airport
from featurestore import Frame, feature_view, windows
from schemas.events import AirportDeparture
from schemas.features import AirportCongestion
from schemas.flights import Flights

PERIOD = "1h"


@feature_view(
    entity=airport,
    by_key=True,
    every=timedelta(minutes=15),
    owner="ops-data",
    schema=AirportCongestion,
    identity=("carrier", "flight", "scheduled_departure"),
    windows={
        "departures_1h": windows.count(over=PERIOD),
        "mean_delay_1h": windows.mean("departure_delay", over=PERIOD),
    },
)
def airport_congestion(flights: Frame[Flights]) -> Frame[AirportDeparture]:
    """Departures and their mean delay in the last hour, each reported at the next quarter of an hour."""
    return flights.filter(pl.col("departed_at").is_not_null()).select(
        "origin",
        "carrier",
        "flight",
        "scheduled_departure",
        "departure_delay",
        event_timestamp="departed_at",
    )
