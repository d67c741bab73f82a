"""Hourly weather at the three airports."""

from typing import Annotated

import pandera.polars as pa
import polars as pl
from pandera.polars import PolarsData

from schemas.flights import ORIGINS


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

    class Config:
        """Impossible readings are set apart."""

        strict = True
        unique = ["origin", "time_hour"]
        metadata = {"on_invalid": "quarantine", "tolerance": 0.01}
