"""How punctual a route is."""

from datetime import timedelta

import polars as pl

from feature_repo.entities import route
from featurestore import Frame, feature_view
from schemas.features import RoutePunctuality
from schemas.flights import Flights

LATE_MINUTES = 15


@feature_view(
    entity=route, by_key=True, ttl=timedelta(days=30), delay=timedelta(minutes=15), owner="ops-data"
)
def route_punctuality(flights: Frame[Flights]) -> Frame[RoutePunctuality]:
    """How punctual a route's arrivals were over the last fourteen days; an arrival's delay is known once it is over."""
    delay = pl.col("arrival_delay")
    return (
        flights.filter(pl.col("arrived_at").is_not_null(), delay.is_not_null())
        .rename({"arrived_at": "event_timestamp"})
        .sort("origin", "dest", "event_timestamp")
        .rolling("event_timestamp", period="14d", group_by=["origin", "dest"])
        .agg(
            route_arrivals_14d=pl.len(),
            route_mean_arrival_delay_14d=delay.mean(),
            route_late_share_14d=(delay > LATE_MINUTES).mean(),
            route_mean_air_time_14d=pl.col("air_time").mean(),
        )
    )
