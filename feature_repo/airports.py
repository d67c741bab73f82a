"""Airports, with the four destinations that the source leaves out."""

import polars as pl

from featurestore import Frame, dataset
from schemas.airports import Airports, RawAirports

LEFT_OUT = pl.LazyFrame(
    {
        "airport": ["BQN", "PSE", "SJU", "STT"],
        "latitude": [18.4949, 18.0083, 18.4394, 18.3373],
        "longitude": [-67.1294, -66.5630, -66.0018, -64.9734],
        "time_zone": ["America/Puerto_Rico"] * 3 + ["America/St_Thomas"],
        "supplemented": [True] * 4,
    }
)


@dataset(owner="ops-data")
def airports(raw_airports: Frame[RawAirports]) -> Frame[Airports]:
    """Airports with their place and time zone; Puerto Rico and the Virgin Islands are added."""
    listed = raw_airports.select(
        airport="faa", latitude="lat", longitude="lon", time_zone="tzone", supplemented=pl.lit(value=False)
    )
    return pl.concat([listed, LEFT_OUT.join(listed, on="airport", how="anti")])
