"""The model's features and its training set."""

import math
from datetime import timedelta

import polars as pl

from feature_repo.aircraft_profile import aircraft_profile
from feature_repo.aircraft_state import aircraft_state
from feature_repo.airport_congestion import airport_congestion
from feature_repo.airport_weather import airport_weather
from feature_repo.carrier_punctuality import carrier_punctuality
from feature_repo.departure_conditions import departure_conditions
from feature_repo.route_punctuality import route_punctuality
from featurestore import Frame, feature_service, training_set
from schemas.airports import Airports
from schemas.features import Departures
from schemas.flights import Flights

ASKED_BEFORE = timedelta(hours=1)
LATE_MINUTES = 15
# A flight that has not left by then is late, whether it leaves or not.
LABELLED_AFTER = ASKED_BEFORE + timedelta(minutes=LATE_MINUTES + 1)
RADIANS = math.pi / 180

departure_delay = feature_service(
    "departure_delay",
    (
        carrier_punctuality,
        route_punctuality,
        aircraft_state,
        airport_weather,
        airport_congestion,
        aircraft_profile,
        departure_conditions,
    ),
    owner="ops-data",
    description="Will this flight leave more than 15 minutes late?",
)


@training_set(service=departure_delay, label="delayed", owner="ops-data", matures=LABELLED_AFTER)
def departures(flights: Frame[Flights], airports: Frame[Airports]) -> Frame[Departures]:
    """Every scheduled flight, asked about one hour before its schedule; a cancelled flight counts as delayed."""
    return asked_before_departure(flights, airports)


def asked_before_departure(flights: pl.LazyFrame, airports: pl.LazyFrame) -> pl.LazyFrame:
    """Return flights as they are asked about, with their label."""
    place = airports.select("airport", "latitude", "longitude")
    return (
        flights.join(place, left_on="origin", right_on="airport", how="left")
        .join(place, left_on="dest", right_on="airport", how="left", suffix="_dest")
        .select(
            "carrier",
            "origin",
            "dest",
            "tailnum",
            "flight",
            "scheduled_departure",
            "cancelled",
            route_bearing=_bearing(),
            event_timestamp=pl.col("scheduled_departure") - pl.lit(ASKED_BEFORE, dtype=pl.Duration("us")),
            delayed=pl.col("cancelled") | (pl.col("departure_delay") > LATE_MINUTES).fill_null(value=False),
        )
        .sort("event_timestamp", "carrier", "flight", "origin")
    )


def _bearing() -> pl.Expr:
    """Return the initial bearing of the great circle from origin to destination, 0 to 360 degrees."""
    start, end = pl.col("latitude") * RADIANS, pl.col("latitude_dest") * RADIANS
    across = (pl.col("longitude_dest") - pl.col("longitude")) * RADIANS
    east = across.sin() * end.cos()
    north = start.cos() * end.sin() - start.sin() * end.cos() * across.cos()
    # A hundredth of a degree is more than the wind is known by, and hides how a platform rounds its sines.
    return ((pl.arctan2(east, north) / RADIANS + 360) % 360).round(2)
