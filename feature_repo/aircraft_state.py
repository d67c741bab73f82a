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
    departed = flights.filter(pl.col("departed_at").is_not_null(), pl.col("tailnum").is_not_null())
    # Joined by when they were known: a leg that left before may arrive after.
    arrivals = (
        departed.filter(pl.col("arrived_at").is_not_null())
        .select("tailnum", previous_arrival="arrived_at")
        .sort("tailnum", "previous_arrival")
    )
    last = [
        "arrived_at",
        "origin",
        "dest",
        "departure_delay",
        "arrival_delay",
    ]
    return (
        departed.sort("tailnum", "departed_at", "arrived_at")
        .rolling("departed_at", period="24h", group_by="tailnum")
        .agg(pl.col(last).last(), legs_24h=pl.len())
        .filter(pl.col("arrived_at").is_not_null())
        .sort("tailnum", "departed_at")
        .join_asof(
            arrivals,
            left_on="departed_at",
            right_on="previous_arrival",
            by="tailnum",
            check_sortedness=False,  # within each tail number they are
        )
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
            hours_before_last_leg=(pl.col("departed_at") - pl.col("previous_arrival")).dt.total_seconds()
            / 3600,
        )
    )
