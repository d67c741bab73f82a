"""Faults of pushed and deleted rows, and of what history says about them."""

from data_faults import commands
from planting import Fault, both, code

ROWS_OF = "storage.views:rows_of"
REPLAY_DELETIONS = code(
    "storage.online:advance_to", "encode_deleted(deleted_keys(view, layout, since=since), view.keys)", "[]"
)

FAULTS = (
    Fault(
        "a deletion that does not reach the store",
        REPLAY_DELETIONS,
        "audit",
        since="materialize",
        pushes=True,
    ),
    Fault(
        "a deletion undone by the next full run",
        both(
            REPLAY_DELETIONS,
            code("adapters.lmdb:LmdbStore.write", "if is_tombstone(pair[1])", "if False"),
            commands(("materialize", "--full")),
        ),
        "audit",
        since="audit",
        pushes=True,
    ),
    Fault(
        "history forgets deletions",
        code(ROWS_OF, "deleted_files(view, layout)", "()"),
        "audit",
        since="audit",
        pushes=True,
    ),
    Fault(
        "history does not have the pushed rows",
        code(ROWS_OF, "files_of(view, layout)", "files_of(view, layout)[:1]"),
        "audit",
        since="audit",
        pushes=True,
    ),
    Fault(
        "a push that is known before it was written",
        code(
            "operations.push.push:_write",
            "settle_versions(view, admitted,",
            "settle_versions(view, [rows.with_columns(pl.col(CREATED_TIMESTAMP).dt.offset_by('-1h')) for rows in admitted],",
        ),
        "prove",
        since="materialize",
        pushes=True,
    ),
    Fault(
        "history takes local times of entity rows for UTC",
        code("vectors.request:_column", "values.dt.convert_time_zone(", "values.dt.replace_time_zone("),
        "prove",
        since="audit",
        pushes=True,
    ),
    Fault(
        "what changed since a time includes that time",
        code("timing.fold:known_rows", "pl.col(KNOWN_AT) > after", "pl.col(KNOWN_AT) >= after"),
        "prove",
        since="audit",
        pushes=True,
    ),
)
