"""What an aircraft is."""

from datetime import UTC, datetime

import polars as pl

from feature_repo.entities import aircraft
from featurestore import Frame, feature_view
from schemas.features import AircraftProfile
from schemas.planes import RawPlanes

# The register carries no dates: all of it is taken as known before the first flight.
REGISTERED = datetime(2012, 12, 31, tzinfo=UTC)


@feature_view(entity=aircraft, owner="ops-data")
def aircraft_profile(raw_planes: Frame[RawPlanes]) -> Frame[AircraftProfile]:
    """What the register says about an aircraft; it changes slowly and never expires."""
    return raw_planes.select(
        "tailnum",
        "seats",
        "engines",
        "manufacturer",
        event_timestamp=pl.lit(REGISTERED, dtype=pl.Datetime("us", "UTC")),
        year_built="year",
        engine_type="engine",
    )
