"""Airports: as the source lists them, and with those it leaves out."""

import pandera.polars as pa
import polars as pl
from pandera.polars import PolarsData

from schemas.terms import PUBLIC

ZONES = [
    "America/Anchorage",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/New_York",
    "America/Phoenix",
    "America/Puerto_Rico",
    "America/St_Thomas",
    "America/Vancouver",
    "Asia/Chongqing",
    "Pacific/Honolulu",
]


class RawAirports(pa.DataFrameModel):
    """Airports as the source lists them; without a time zone an airport is of no use here."""

    faa: pl.String = pa.Field(unique=True, str_matches="^[A-Z0-9]{3}$", description="airport code")
    name: pl.String = pa.Field(description="name")
    lat: pl.Float64 = pa.Field(ge=-90, le=90, description="latitude", metadata={"unit": "deg"})
    lon: pl.Float64 = pa.Field(ge=-180, le=180, description="longitude", metadata={"unit": "deg"})
    alt: pl.Int64 = pa.Field(ge=-300, le=15000, description="altitude", metadata={"unit": "ft"})
    tz: pl.Int64 = pa.Field(
        ge=-12,
        le=14,
        description="offset from UTC in winter",
        metadata={"unit": "h"},
    )
    dst: pl.String = pa.Field(
        isin=["A", "N", "U"], description="daylight saving: as in the US, none, unknown"
    )
    tzone: pl.String = pa.Field(isin=ZONES, description="time zone, IANA name")

    class Config:
        """Rows without a time zone go to quarantine."""

        strict = True
        metadata = {
            **PUBLIC,
            "known": "always",
            "on_invalid": "quarantine",
            "tolerance": 0.01,
            "expect": {"rows": (1_400, 1_600)},
        }


class Airports(pa.DataFrameModel):
    """Airports with their place and time zone, those that the source leaves out included."""

    airport: pl.String = pa.Field(unique=True, description="airport code")
    latitude: pl.Float64 = pa.Field(ge=-90, le=90, description="latitude", metadata={"unit": "deg"})
    longitude: pl.Float64 = pa.Field(ge=-180, le=180, description="longitude", metadata={"unit": "deg"})
    time_zone: pl.String = pa.Field(isin=ZONES, description="time zone, IANA name")
    supplemented: pl.Boolean = pa.Field(description="the source leaves it out; declared here")

    @pa.dataframe_check(raise_warning=True)
    def listed_by_the_source(cls, data: PolarsData) -> pl.LazyFrame:
        """Airports declared here are counted."""
        return data.lazyframe.select(~pl.col("supplemented"))

    class Config:
        """No other columns."""

        strict = True
