"""How punctual a carrier is."""

from datetime import timedelta

import polars as pl

from feature_repo.entities import carrier
from featurestore import Frame, feature_view, windows
from schemas.events import CarrierDeparture
from schemas.features import CarrierPunctuality
from schemas.flights import Flights

LATE_MINUTES = 15
PERIOD = "7d"


@feature_view(
    entity=carrier,
    by_key=True,
    delay=timedelta(minutes=15),
    owner="ops-data",
    schema=CarrierPunctuality,
    identity=("flight", "origin", "scheduled_departure"),
    windows={
        "carrier_departures_7d": windows.count(over=PERIOD),
        "carrier_mean_delay_7d": windows.mean("departure_delay", over=PERIOD),
        "carrier_late_share_7d": windows.share(pl.col("departure_delay") > LATE_MINUTES, over=PERIOD),
    },
)
def carrier_punctuality(flights: Frame[Flights]) -> Frame[CarrierDeparture]:
    """How punctual a carrier's departures were over the last seven days, each reported after 15 minutes."""
    return flights.filter(pl.col("departed_at").is_not_null()).select(
        "carrier",
        "flight",
        "origin",
        "scheduled_departure",
        "departure_delay",
        event_timestamp="departed_at",
    )
