"""Faults of the proof itself, each with a fault that the audit would have found: another command finds it."""

from planting import Fault, both, code
from value_faults import stored

EXPIRED_IS_NULL = code("vectors.reader:_answer", "[EXPIRED] * len(present)", "[NULL] * len(present)")
OVERWRITES = code("adapters.lmdb:LmdbStore.write", "version_of(row) > version_of(current)", "True")

FAULTS = (
    Fault(
        "an audit that ignores statuses",
        both(
            EXPIRED_IS_NULL,
            code("operations.audit.record:differing_rows", " | (offline[status] != served[status])", ""),
        ),
        "prove",
        since="audit",
    ),
    Fault(
        "an audit that takes -0.0 for 0.0",
        both(
            stored("pl.col(pl.Float32).replace(-0.0, 0.0)"),
            code("values.bits:bits", "bits_of(pl.first(), values.dtype)", "pl.first()"),
        ),
        "prove",
        since="materialize",
    ),
    Fault(
        "an audit that finds differences and succeeds",
        both(
            OVERWRITES,
            code("operations.audit.record:AuditRecord.require_parity", "if self.mismatches:", "if False:"),
        ),
        "prove",
        since="materialize",
    ),
    Fault(
        "an audit that reads no serving path",
        both(
            EXPIRED_IS_NULL,
            code(
                "operations.audit.audit:_compared",
                "for service in workspace.services.values()",
                "for service in ()",
            ),
        ),
        "prove",
        since="audit",
    ),
)
