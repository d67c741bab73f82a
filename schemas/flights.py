"""Flights out of New York in 2013: as the source writes them, and with their times in UTC."""

from datetime import timedelta
from typing import Annotated

import pandera.polars as pa
import polars as pl
from pandera.polars import PolarsData

from schemas.terms import PUBLIC

TAIL_NUMBER = "^[A-Z0-9]{5,6}$"
AIRPORT = "^[A-Z0-9]{3}$"
CARRIER = "^[A-Z0-9]{2}$"
ORIGINS = ["EWR", "JFK", "LGA"]


class RawFlights(pa.DataFrameModel):
    """Departures as the source writes them: one row for each scheduled flight, times local, as HHMM."""

    year: pl.Int64 = pa.Field(eq=2013, description="year of the scheduled departure")
    month: pl.Int64 = pa.Field(ge=1, le=12, description="month of the departure")
    day: pl.Int64 = pa.Field(ge=1, le=31, description="day of the departure")
    dep_time: pl.Int64 = pa.Field(nullable=True, ge=1, le=2400, description="actual departure, local HHMM")
    sched_dep_time: pl.Int64 = pa.Field(ge=1, le=2400, description="scheduled departure, local HHMM")
    dep_delay: pl.Int64 = pa.Field(
        nullable=True,
        ge=-120,
        le=2880,
        description="departure delay",
        metadata={"unit": "min"},
    )
    arr_time: pl.Int64 = pa.Field(
        nullable=True, ge=1, le=2400, description="actual arrival, local HHMM there"
    )
    sched_arr_time: pl.Int64 = pa.Field(ge=1, le=2400, description="scheduled arrival, local HHMM there")
    arr_delay: pl.Int64 = pa.Field(
        nullable=True,
        ge=-180,
        le=2880,
        description="arrival delay",
        metadata={"unit": "min"},
    )
    carrier: pl.String = pa.Field(str_matches=CARRIER, description="carrier code")
    flight: pl.Int64 = pa.Field(ge=1, description="flight number")
    tailnum: pl.String = pa.Field(nullable=True, str_matches=TAIL_NUMBER, description="tail number")
    origin: pl.String = pa.Field(isin=ORIGINS, description="airport of departure")
    dest: pl.String = pa.Field(str_matches=AIRPORT, description="airport of arrival")
    air_time: pl.Int64 = pa.Field(
        nullable=True,
        ge=10,
        le=1200,
        description="time in the air",
        metadata={"unit": "min"},
    )
    distance: pl.Int64 = pa.Field(gt=0, le=6000, description="distance flown", metadata={"unit": "mi"})
    hour: pl.Int64 = pa.Field(ge=0, le=23, description="hour of sched_dep_time")
    minute: pl.Int64 = pa.Field(ge=0, le=59, description="minute of sched_dep_time")
    time_hour: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(
        description="hour of the scheduled departure, UTC"
    )

    @pa.dataframe_check
    def departed_with_delay(cls, data: PolarsData) -> pl.LazyFrame:
        """A departure time and a delay are known together."""
        return data.lazyframe.select(pl.col("dep_time").is_null() == pl.col("dep_delay").is_null())

    @pa.dataframe_check
    def delay_is_between_the_times(cls, data: PolarsData) -> pl.LazyFrame:
        """The delay is what the clock shows between schedule and departure."""
        minutes = [pl.col(name) // 100 * 60 + pl.col(name) % 100 for name in ("dep_time", "sched_dep_time")]
        return data.lazyframe.select((minutes[0] - minutes[1] - pl.col("dep_delay")) % (24 * 60) == 0)

    @pa.dataframe_check
    def schedule_in_its_parts(cls, data: PolarsData) -> pl.LazyFrame:
        """Hour and minute are those of the scheduled departure."""
        return data.lazyframe.select(pl.col("hour") * 100 + pl.col("minute") == pl.col("sched_dep_time"))

    @pa.dataframe_check
    def hour_in_new_york(cls, data: PolarsData) -> pl.LazyFrame:
        """The UTC hour is the local one, in New York, of the same day."""
        local = pl.col("time_hour").dt.convert_time_zone("America/New_York").dt
        return data.lazyframe.select(
            (local.hour() == pl.col("hour"))
            & (local.day() == pl.col("day"))
            & (local.month() == pl.col("month"))
        )

    @pa.dataframe_check
    def speed_of_a_plane(cls, data: PolarsData) -> pl.LazyFrame:
        """Distance and time in the air make 50 to 750 miles an hour."""
        return data.lazyframe.select((pl.col("distance") * 60 / pl.col("air_time")).is_between(50, 750))

    @pa.dataframe_check
    def leaves_its_origin(cls, data: PolarsData) -> pl.LazyFrame:
        """It goes elsewhere."""
        return data.lazyframe.select(pl.col("origin") != pl.col("dest"))

    class Config:
        """A flight is known by carrier, number, origin and schedule; the rows of a year are in this range."""

        strict = True
        unique = ["carrier", "flight", "origin", "year", "month", "day", "sched_dep_time"]
        metadata = {
            **PUBLIC,
            "segments": ["origin"],
            "on_invalid": "quarantine",
            "tolerance": 0.01,
            "expect": {
                "rows": (320_000, 350_000),
                "null_share": {"dep_time": 0.05, "arr_time": 0.05, "air_time": 0.05, "tailnum": 0.02},
                "distinct": {"carrier": (14, 18), "dest": (95, 115), "tailnum": (3_800, 4_300)},
                "covers": {"month": list(range(1, 13))},
                "share": {"origin": dict.fromkeys(ORIGINS, (0.28, 0.40))},
                "mean": {
                    "dep_delay": (8, 18),
                    "arr_delay": (2, 12),
                    "distance": (950, 1_150),
                    "air_time": (135, 165),
                },
                "gap": {"time_hour": timedelta(hours=12)},
            },
        }


class Flights(pa.DataFrameModel):
    """Scheduled flights with all times in UTC; what the data really lack is counted, not dropped."""

    carrier: pl.String = pa.Field(str_matches=CARRIER, description="carrier code")
    flight: pl.Int32 = pa.Field(ge=1, description="flight number")
    tailnum: pl.String = pa.Field(nullable=True, str_matches=TAIL_NUMBER, description="tail number")
    origin: pl.String = pa.Field(isin=ORIGINS, description="airport of departure")
    dest: pl.String = pa.Field(str_matches=AIRPORT, description="airport of arrival")
    scheduled_departure: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(
        description="when it should leave", metadata={"known": "always"}
    )
    departed_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when it left")
    arrived_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when it arrived")
    departure_delay: pl.Int32 = pa.Field(
        nullable=True, description="departure delay", metadata={"unit": "min", "known": "departed_at"}
    )
    arrival_delay: pl.Int32 = pa.Field(
        nullable=True, description="arrival delay", metadata={"unit": "min", "known": "arrived_at"}
    )
    air_time: pl.Int32 = pa.Field(
        nullable=True, description="time in the air", metadata={"unit": "min", "known": "arrived_at"}
    )
    distance: pl.Int32 = pa.Field(gt=0, description="distance flown", metadata={"unit": "mi"})
    cancelled: pl.Boolean = pa.Field(description="it never left", metadata={"known": "departed_at"})
    plane_known: pl.Boolean = pa.Field(description="its tail number is in the planes table")
    weather_known: pl.Boolean = pa.Field(
        description="weather was observed in the hour of its schedule",
        metadata={"known": "scheduled_departure"},
    )

    @pa.dataframe_check
    def schedule_agrees_with_source(cls, data: PolarsData) -> pl.LazyFrame:
        """Departures are within the year, New York time."""
        return data.lazyframe.select(
            pl.col("scheduled_departure").dt.convert_time_zone("America/New_York").dt.year() == 2013
        )

    @pa.dataframe_check
    def arrival_after_time_in_the_air(cls, data: PolarsData) -> pl.LazyFrame:
        """From leaving to arriving takes at least the time in the air."""
        return data.lazyframe.select(
            (pl.col("arrived_at") - pl.col("departed_at")).dt.total_minutes() >= pl.col("air_time")
        )

    @pa.dataframe_check(raise_warning=True)
    def not_cancelled(cls, data: PolarsData) -> pl.LazyFrame:
        """Cancelled flights are counted."""
        return data.lazyframe.select(~pl.col("cancelled"))

    @pa.dataframe_check(raise_warning=True)
    def tail_number_known(cls, data: PolarsData) -> pl.LazyFrame:
        """Flights without a tail number are counted."""
        return data.lazyframe.select(pl.col("tailnum").is_not_null())

    @pa.dataframe_check(raise_warning=True)
    def plane_in_planes_table(cls, data: PolarsData) -> pl.LazyFrame:
        """Flights of planes absent from the planes table are counted."""
        return data.lazyframe.select(pl.col("plane_known"))

    @pa.dataframe_check(raise_warning=True)
    def weather_observed(cls, data: PolarsData) -> pl.LazyFrame:
        """Flights without weather are counted."""
        return data.lazyframe.select(pl.col("weather_known"))

    @pa.dataframe_check(raise_warning=True)
    def arrival_time_known(cls, data: PolarsData) -> pl.LazyFrame:
        """Flights that left and have no arrival are counted: diverted, or at an hour that no clock showed."""
        return data.lazyframe.select(pl.col("arrived_at").is_not_null() | pl.col("cancelled"))

    @pa.dataframe_check(raise_warning=True)
    def arrival_delay_known(cls, data: PolarsData) -> pl.LazyFrame:
        """Arrivals without a delay are counted."""
        return data.lazyframe.select(pl.col("arrival_delay").is_not_null() | pl.col("arrived_at").is_null())

    class Config:
        """A flight is known by carrier, number, origin and schedule; the schedule was published before the first of them.

        Nothing tells when a cancellation was known: no row may depend on it.
        """

        strict = True
        unique = ["carrier", "flight", "origin", "scheduled_departure"]
        metadata = {"known": "always"}
