"""The weather at the airports of departure."""

from datetime import timedelta

import polars as pl

from feature_repo.entities import airport
from featurestore import Frame, feature_view
from schemas.features import AirportWeather
from schemas.weather import RawWeather


@feature_view(
    entity=airport, by_key=True, ttl=timedelta(hours=3), delay=timedelta(minutes=20), owner="ops-data"
)
def airport_weather(raw_weather: Frame[RawWeather]) -> Frame[AirportWeather]:
    """The weather at an airport, published 20 minutes after the hour, with means and sums of three hours."""
    # A running sum of floats carries the rounding of rows that have left its window: sum whole thousandths.
    thousandths = pl.col("wind_speed", "precip").mul(1000).round().cast(pl.Int64).name.suffix("_thousandths")
    return (
        raw_weather.sort("origin", "time_hour")
        .with_columns(thousandths)
        .rolling("time_hour", period="3h", group_by="origin")
        .agg(
            temperature=pl.col("temp").last(),
            humidity=pl.col("humid").last(),
            visibility=pl.col("visib").last(),
            wind_direction=pl.col("wind_dir").last(),
            wind_speed=pl.col("wind_speed").last(),
            wind_speed_mean_3h=pl.col("wind_speed_thousandths").mean() / 1000,
            precipitation_3h=pl.col("precip_thousandths").sum() / 1000,
        )
        .rename({"time_hour": "event_timestamp"})
    )
