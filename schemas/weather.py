"""Hourly weather at the three airports."""

from datetime import timedelta
from typing import Annotated

import pandera.polars as pa
import polars as pl
from pandera.polars import PolarsData

from schemas.flights import ORIGINS
from schemas.terms import PUBLIC


class RawWeather(pa.DataFrameModel):
    """Observations as the source writes them, one for each airport and hour."""

    origin: pl.String = pa.Field(isin=ORIGINS, description="airport")
    year: pl.Int64 = pa.Field(eq=2013, description="year, local")
    month: pl.Int64 = pa.Field(ge=1, le=12, description="month, local")
    day: pl.Int64 = pa.Field(ge=1, le=31, description="day, local")
    hour: pl.Int64 = pa.Field(ge=0, le=23, description="hour, local")
    temp: pl.Float64 = pa.Field(
        nullable=True,
        ge=-40,
        le=130,
        description="temperature",
        metadata={"unit": "degF"},
    )
    dewp: pl.Float64 = pa.Field(
        nullable=True,
        ge=-60,
        le=100,
        description="dew point",
        metadata={"unit": "degF"},
    )
    humid: pl.Float64 = pa.Field(
        nullable=True,
        ge=0,
        le=100,
        description="relative humidity",
        metadata={"unit": "%"},
    )
    wind_dir: pl.Int64 = pa.Field(
        nullable=True,
        ge=0,
        le=360,
        description="where the wind comes from; missing: variable",
        metadata={"unit": "deg"},
    )
    wind_speed: pl.Float64 = pa.Field(
        nullable=True,
        ge=0,
        le=200,
        description="wind speed; the strongest ever measured on the ground was 253 mph",
        metadata={"unit": "mph"},
    )
    wind_gust: pl.Float64 = pa.Field(
        nullable=True,
        ge=0,
        le=250,
        description="gust speed; missing: none",
        metadata={"unit": "mph"},
    )
    precip: pl.Float64 = pa.Field(ge=0, le=12, description="precipitation", metadata={"unit": "in"})
    pressure: pl.Float64 = pa.Field(
        nullable=True,
        ge=870,
        le=1090,
        description="pressure at sea level",
        metadata={"unit": "hPa"},
    )
    visib: pl.Float64 = pa.Field(ge=0, le=100, description="visibility", metadata={"unit": "mi"})
    time_hour: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="hour of the observation, UTC")

    @pa.dataframe_check(raise_warning=True)
    def local_hour_occurs_once(cls, data: PolarsData) -> pl.LazyFrame:
        """Hours that occur twice as the clocks go back are counted; their UTC hours differ."""
        return data.lazyframe.select(~pl.struct("origin", "year", "month", "day", "hour").is_duplicated())

    @pa.dataframe_check
    def hour_in_new_york(cls, data: PolarsData) -> pl.LazyFrame:
        """The UTC hour is the local one, in New York, of the same day."""
        local = pl.col("time_hour").dt.convert_time_zone("America/New_York").dt
        return data.lazyframe.select((local.hour() == pl.col("hour")) & (local.day() == pl.col("day")))

    @pa.dataframe_check
    def dew_point_below_temperature(cls, data: PolarsData) -> pl.LazyFrame:
        """Air holds no more water than it can."""
        return data.lazyframe.select(pl.col("dewp") <= pl.col("temp") + 0.5)

    class Config:
        """Impossible readings go to quarantine; every airport reports through the year."""

        strict = True
        unique = ["origin", "time_hour"]
        metadata = {
            **PUBLIC,
            "known": "time_hour",
            "on_invalid": "quarantine",
            "tolerance": 0.01,
            "expect": {
                "rows": (25_000, 26_300),
                "null_share": {
                    "temp": 0.01,
                    "humid": 0.01,
                    "wind_dir": 0.05,
                    "wind_speed": 0.01,
                    "pressure": 0.15,
                },
                "share": {"origin": dict.fromkeys(ORIGINS, (0.32, 0.35))},
                "mean": {"temp": (50, 60), "humid": (55, 70), "wind_speed": (8, 13), "visib": (8, 10)},
                "gap": {"time_hour": (timedelta(hours=8), ["origin"])},
            },
        }
