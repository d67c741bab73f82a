"""Why two sides of a proof disagree on a cell."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Why the value of a cell on one side is not the value on the other side.

    Attributes
    ----------
    OTHER_CODE
        Another definition made one side.
    OTHER_DATA
        The rows of the view were built again, with other values.
    LATE_DATA
        A row became known after the store had answered, with a timestamp before the answer.
    EXPIRED
        One side took the value as expired.
    PRECISION
        The values differ only by rounding.
    REQUEST_VALUE
        An on-demand feature was computed from another request value.
    STALE_ANSWER
        The answer came from the cache of last known values.
    LOST_ROW
        The store does not hold a row that it should hold.
    PUSHED
        The store answered without a pushed row that was known, or with one that was not known yet.
    PUSHED_LATER
        A row was pushed after one side was made.
    DELETED
        A deleted key is on one side only.
    STORE
        The store holds another value than the rows that it was filled from.
    SERVING_PATH
        The store holds the right row, and the way that reads it returns something else.
    EDITED
        The file was changed after it was made.
    UNKNOWN
        None of these could be shown.
    """

    OTHER_CODE = "other code"
    OTHER_DATA = "other data"
    LATE_DATA = "late data"
    EXPIRED = "expired"
    PRECISION = "precision"
    REQUEST_VALUE = "request value"
    STALE_ANSWER = "stale answer"
    LOST_ROW = "row lost by the store"
    PUSHED = "pushed before it could be served"
    PUSHED_LATER = "pushed later"
    DELETED = "deleted"
    STORE = "store"
    SERVING_PATH = "serving path"
    EDITED = "file edited"
    UNKNOWN = "unknown"
