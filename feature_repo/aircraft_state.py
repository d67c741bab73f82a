"""Where an aircraft is in its day."""

from datetime import timedelta

import polars as pl

from feature_repo.entities import aircraft
from featurestore import Frame, feature_view
from schemas.features import AircraftState
from schemas.flights import Flights


@feature_view(entity=aircraft, by_key=True, ttl=timedelta(days=3), owner="ops-data")
def aircraft_state(flights: Frame[Flights]) -> Frame[AircraftState]:
    """An aircraft's last leg out of New York. It happened when it left, and is known once it has arrived."""
    previous_arrival = pl.when(pl.col("tailnum") == pl.col("tailnum").shift()).then(
        pl.col("arrived_at").shift()
    )
    waited = (pl.col("departed_at") - previous_arrival).dt.total_seconds() / 3600
    last = [
        "arrived_at",
        "origin",
        "dest",
        "departure_delay",
        "arrival_delay",
        "waited",
    ]
    return (
        flights.filter(pl.col("arrived_at").is_not_null(), pl.col("tailnum").is_not_null())
        .sort("tailnum", "departed_at")
        .with_columns(waited=waited)
        .rolling("departed_at", period="24h", group_by="tailnum")
        .agg(pl.col(last).last(), legs_24h=pl.len())
        .select(
            "tailnum",
            "legs_24h",
            event_timestamp="departed_at",
            created_timestamp="arrived_at",
            last_leg_origin="origin",
            last_leg_dest="dest",
            last_leg_departure_delay="departure_delay",
            last_leg_arrival_delay="arrival_delay",
            last_arrived_at="arrived_at",
            hours_before_last_leg="waited",
        )
    )
