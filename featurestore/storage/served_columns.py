"""The names of the columns of the served log, beside keys, request values, features and statuses.

For each view, ``<view>__event_timestamp`` is the event of the row that answered.
"""

from typing import Final

from featurestore.definitions import entity_rows

REQUEST_ID: Final = entity_rows.REQUEST_ID
ARRIVED: Final = "request_arrived"  # when the request had arrived, by the clock of the machine
RELEASE: Final = "release"
WORKING: Final = "working"  # in `RELEASE`: the project itself answered, without a release
DEFINITION: Final = "definition"  # digest of the feature service
STALE: Final = "stale"


def watermark(view: str) -> str:
    """Return the name of the column that holds the watermark of a view when the store answered."""
    return f"{view}__watermark"


def source(view: str) -> str:
    """Return the name of the column that holds the digest of the built rows that the store was filled from."""
    return f"{view}__source"
