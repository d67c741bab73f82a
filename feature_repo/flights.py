"""Flights with their times in UTC."""

import polars as pl

from feature_repo.clock import minutes_of, to_local, to_utc
from featurestore import Frame, dataset
from schemas.airports import Airports
from schemas.flights import Flights, RawFlights
from schemas.planes import RawPlanes
from schemas.weather import RawWeather


@dataset(owner="ops-data")
def flights(
    raw_flights: Frame[RawFlights],
    airports: Frame[Airports],
    raw_planes: Frame[RawPlanes],
    raw_weather: Frame[RawWeather],
) -> Frame[Flights]:
    """Every scheduled flight; local times become UTC by the time zone of the airport they are local to."""
    zones = airports.select("airport", "time_zone")
    departure_day = pl.datetime("year", "month", "day", time_unit="us")
    scheduled = to_utc(
        departure_day + pl.duration(minutes=minutes_of(pl.col("sched_dep_time"))), pl.col("origin_zone")
    )
    departed = pl.col("scheduled_departure") + pl.duration(minutes="dep_delay")
    # The source gives an arrival's clock time only: its day is that of the departure there, or the next.
    midnight = to_local(pl.col("departed_at"), pl.col("dest_zone")).dt.truncate("1d")
    arrival = midnight + pl.duration(minutes=minutes_of(pl.col("arr_time")))
    same_day, next_day = (
        to_utc(local, pl.col("dest_zone")) for local in (arrival, arrival + pl.duration(days=1))
    )
    return (
        raw_flights.join(
            zones.rename({"airport": "origin", "time_zone": "origin_zone"}), on="origin", how="left"
        )
        .join(zones.rename({"airport": "dest", "time_zone": "dest_zone"}), on="dest", how="left")
        .with_columns(scheduled_departure=scheduled)
        .with_columns(departed_at=departed)
        .with_columns(arrived_at=pl.when(same_day > pl.col("departed_at")).then(same_day).otherwise(next_day))
        .join(raw_planes.select("tailnum", plane_known=pl.lit(value=True)), on="tailnum", how="left")
        .join(
            raw_weather.select("origin", "time_hour", weather_known=pl.lit(value=True)),
            on=["origin", "time_hour"],
            how="left",
        )
        .select(
            "carrier",
            "flight",
            "tailnum",
            "origin",
            "dest",
            "scheduled_departure",
            "departed_at",
            "arrived_at",
            "air_time",
            "distance",
            departure_delay="dep_delay",
            arrival_delay="arr_delay",
            cancelled=pl.col("departed_at").is_null(),
            plane_known=pl.col("plane_known").fill_null(value=False),
            weather_known=pl.col("weather_known").fill_null(value=False),
        )
    )
