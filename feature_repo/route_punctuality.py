"""How punctual a route is."""

from datetime import timedelta

import polars as pl

from feature_repo.entities import route
from featurestore import Frame, feature_view, windows
from schemas.events import RouteArrival
from schemas.features import RoutePunctuality
from schemas.flights import Flights

LATE_MINUTES = 15
PERIOD = "14d"


@feature_view(
    entity=route,
    by_key=True,
    delay=timedelta(minutes=15),
    owner="ops-data",
    schema=RoutePunctuality,
    identity=("carrier", "flight", "scheduled_departure"),
    windows={
        "route_arrivals_14d": windows.count(over=PERIOD),
        "route_mean_arrival_delay_14d": windows.mean("arrival_delay", over=PERIOD),
        "route_late_share_14d": windows.share(pl.col("arrival_delay") > LATE_MINUTES, over=PERIOD),
        "route_mean_air_time_14d": windows.mean("air_time", over=PERIOD),
    },
)
def route_punctuality(flights: Frame[Flights]) -> Frame[RouteArrival]:
    """How punctual a route's arrivals were over the last fourteen days; a delay is known once the flight is over."""
    return flights.filter(pl.col("arrived_at").is_not_null(), pl.col("arrival_delay").is_not_null()).select(
        "origin",
        "dest",
        "carrier",
        "flight",
        "scheduled_departure",
        "arrival_delay",
        "air_time",
        event_timestamp="arrived_at",
    )
