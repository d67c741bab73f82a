"""How busy an airport is."""

from datetime import timedelta

import polars as pl

from feature_repo.entities import airport
from featurestore import Frame, feature_view
from schemas.features import AirportCongestion
from schemas.flights import Flights


@feature_view(
    entity=airport, by_key=True, ttl=timedelta(hours=6), every=timedelta(minutes=15), owner="ops-data"
)
def airport_congestion(flights: Frame[Flights]) -> Frame[AirportCongestion]:
    """Departures and their mean delay in the last hour, published every quarter of an hour."""
    return (
        flights.filter(pl.col("departed_at").is_not_null())
        .rename({"departed_at": "event_timestamp"})
        .sort("origin", "event_timestamp")
        .rolling("event_timestamp", period="1h", group_by="origin")
        .agg(departures_1h=pl.len(), mean_delay_1h=pl.col("departure_delay").mean())
    )
