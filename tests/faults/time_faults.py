"""Faults of time: when a row is known, which row wins, when a value is expired."""

from planting import Fault, both, code

KNOWN_AT = "timing.known_at:known_at"
REPLACES = "version_of(row) > version_of(current)"

FAULTS = (
    Fault(
        "ttl ignored by the server",
        code("vectors.reader:_answer", "oldest is not None and event < oldest", "False"),
        "audit", since="materialize",
    ),
    Fault(
        "ttl ignored by get_online",
        code("operations.get_online:_read", "as_of=pl.lit(as_of, dtype=UTC_MICROSECONDS)", "as_of=pl.col('event_timestamp')"),
        "audit", since="materialize",
    ),
    Fault(
        "ttl compared with >= online",
        code("vectors.reader:_answer", "event < oldest", "event <= oldest"),
        "audit", since="materialize",
    ),
    Fault(
        "ttl compared with >= everywhere",
        both(
            code("timing.known_at:is_expired", "(as_of - event) > pl.lit", "(as_of - event) >= pl.lit"),
            code("vectors.reader:_answer", "event < oldest", "event <= oldest"),
        ),
        "audit", since="materialize",
    ),
    Fault("delay ignored", code(KNOWN_AT, "pl.lit(timing.delay,", "pl.lit(timing.delay * 0,"), "audit", since="materialize"),
    Fault("cadence rounded down", code(KNOWN_AT, "-((-instant) // step)", "(instant // step)"), "audit", since="materialize"),
    Fault("a late row is known since its event", code(KNOWN_AT, "if timing.created:", "if False:"), "audit", since="materialize"),
    Fault(
        "a missing load time counts as 1970",
        code(
            "timing.known_at:created_or_event",
            "pl.coalesce(CREATED_TIMESTAMP, EVENT_TIMESTAMP)",
            "pl.coalesce(CREATED_TIMESTAMP, pl.from_epoch(pl.lit(0)).cast(pl.Datetime('us')).dt.replace_time_zone('UTC'))",
        ),
        "audit", since="materialize",
    ),
    Fault(
        "load time ignored among rows of one event",
        code("values.codec:encode_rows", "HEADER.pack(event + _OFFSET, known + _OFFSET)", "HEADER.pack(event + _OFFSET, event + _OFFSET)"),
        "audit", since="materialize", pushes=True,
    ),
    Fault("an older event overwrites a newer one", code("adapters.lmdb:LmdbStore.write", REPLACES, "True"), "audit", since="materialize", pushes=True),
    Fault(
        "the first row of a key stays",
        code("adapters.lmdb:LmdbStore.write", REPLACES, "False"),
        "audit", since="materialize", pushes=True,
    ),
    Fault(
        "two pushes of one event: luck decides",
        code("storage.pushes:settle_versions", "if earlier.is_empty() and", "if True or"),
        "audit", since="materialize", pushes=True,
    ),
    Fault(
        "microseconds cut from versions",
        code("values.codec:encode_rows", 'created=(pl.col(created) if isinstance(created, str) else created).dt.epoch("us")', 'created=(pl.col(created) if isinstance(created, str) else created).dt.epoch("ms") * 1000'),
        "audit", since="materialize", pushes=True,
    ),
    Fault(
        "a row that is known at the watermark is left out",
        code("timing.fold:known_rows", "pl.col(KNOWN_AT) <= until", "pl.col(KNOWN_AT) < until"),
        "audit", since="materialize",
    ),
    Fault(
        "an incremental run goes by event time",
        code("timing.fold:known_rows", "pl.col(KNOWN_AT) > after", "pl.col('event_timestamp') > after"),
        "audit", since="materialize",
    ),
    Fault(
        "history takes the nearest row, also a later one",
        code("timing.join:answers", '"backward"', '"nearest"'),
        "audit", since="materialize",
    ),
    Fault(
        "history lets a late row hide a newer one",
        code("timing.join:answering_rows", "cum_min(reverse=True)", "cum_min()"),
        "audit", since="materialize",
    ),
    Fault(
        "history keeps the first of two rows that become known together",
        code("timing.join:answering_rows", "pl.col(name).shift(-1)", "pl.col(name).shift(1)"),
        "audit", since="materialize",
    ),
    Fault(
        "history prefers the file that was read last",
        code("timing.join:greatest", "[ROW, *version(timing)]", "[ROW]"),
        "audit", since="materialize", pushes=True,
    ),
)  # fmt: skip
