"""The names of the columns that hold times. They are the same in every dataset."""

EVENT_TIMESTAMP = "event_timestamp"
CREATED_TIMESTAMP = "created_timestamp"
KNOWN_AT = "known_at"

EVENT_SUFFIX = "__event_timestamp"
AGE_SUFFIX = "__age"

TIME_COLUMNS = frozenset({EVENT_TIMESTAMP, CREATED_TIMESTAMP, KNOWN_AT})
