"""A model of late departures from LaGuardia: its vector, as numbers, and its training set, in splits."""

import polars as pl

from feature_repo.aircraft_profile import aircraft_profile
from feature_repo.aircraft_state import aircraft_state
from feature_repo.airport_congestion import airport_congestion
from feature_repo.airport_weather import airport_weather
from feature_repo.carrier_punctuality import carrier_punctuality
from feature_repo.departure_conditions import departure_conditions
from feature_repo.departures import LABELLED_AFTER, asked_before_departure
from feature_repo.route_punctuality import route_punctuality
from featurestore import Frame, feature_service, preprocessing, random_sample, time_split, training_set
from schemas.airports import Airports
from schemas.features import Departures
from schemas.flights import Flights

delay_model = feature_service(
    "delay_model",
    (
        carrier_punctuality,
        route_punctuality,
        aircraft_state["last_leg_origin", "last_leg_departure_delay", "last_leg_arrival_delay", "legs_24h"],
        airport_weather,
        airport_congestion,
        aircraft_profile["year_built", "seats", "engine_type", "manufacturer"],
        departure_conditions,
    ),
    owner="ops-data",
    description="The vector of the model in examples/departure_delay.",
    steps=(
        preprocessing.target("last_leg_origin"),
        preprocessing.frequency("manufacturer"),
        preprocessing.one_hot("engine_type", min_frequency=100),
    ),
)


@training_set(
    service=delay_model,
    label="delayed",
    owner="ops-data",
    matures=LABELLED_AFTER,
    split=time_split(validation_from="2013-09-01T00:00:00Z", test_from="2013-11-01T00:00:00Z", gap="1d"),
    sample=random_sample(share=0.3, seed=1),
)
def late_departures(flights: Frame[Flights], airports: Frame[Airports]) -> Frame[Departures]:
    """Every scheduled flight from LaGuardia, asked about one hour before its schedule."""
    return asked_before_departure(flights, airports).filter(pl.col("origin") == "LGA")
