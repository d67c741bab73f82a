"""How punctual a carrier is."""

from datetime import timedelta

import polars as pl

from feature_repo.entities import carrier
from featurestore import Frame, feature_view
from schemas.features import CarrierPunctuality
from schemas.flights import Flights

LATE_MINUTES = 15


@feature_view(
    entity=carrier, by_key=True, ttl=timedelta(days=14), delay=timedelta(minutes=15), owner="ops-data"
)
def carrier_punctuality(flights: Frame[Flights]) -> Frame[CarrierPunctuality]:
    """How punctual a carrier's departures were over the last seven days, as reported 15 minutes after each."""
    delay = pl.col("departure_delay")
    return (
        flights.filter(pl.col("departed_at").is_not_null())
        .rename({"departed_at": "event_timestamp"})
        .sort("carrier", "event_timestamp")
        .rolling("event_timestamp", period="7d", group_by="carrier")
        .agg(
            carrier_departures_7d=pl.len(),
            carrier_mean_delay_7d=delay.mean(),
            carrier_late_share_7d=(delay > LATE_MINUTES).mean(),
        )
    )
