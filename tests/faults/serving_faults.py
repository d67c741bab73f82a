"""Faults of the ways in which features are read: the reader, HTTP, Feast's wire, releases."""

from planting import Fault, code, edit

ANSWER = "vectors.reader:_answer"
READY = "vectors.reader:_ready"

FAULTS = (
    Fault(
        "an unknown key answers NULL_VALUE",
        code(ANSWER, "[NOT_FOUND] * len(present)", "[NULL] * len(present)"),
        "audit",
        since="audit",
    ),
    Fault(
        "an expired value answers NULL_VALUE",
        code(ANSWER, "[EXPIRED] * len(present)", "[NULL] * len(present)"),
        "audit",
        since="audit",
    ),
    Fault(
        "features in the order stored",
        code("vectors.reader:VectorReader.__init__", "if ordered == stored else", "if True else"),
        "audit",
        since="audit",
    ),
    Fault(
        "features of a selection in the order of the view",
        code(READY, "tuple(map(names.index, selection.features))", "tuple(sorted(map(names.index, selection.features)) if len(selection.features) == 2 else map(names.index, selection.features))"),
        "audit",
        since="audit",
    ),
    Fault(
        "an alias reads the keys of the view itself",
        code(READY, "for key in selection.keys]", "for key in selection.view.keys]"),
        "audit",
        since="audit",
    ),
    Fault(
        "history reads the parts of a key in another order",
        code("vectors.alias:view_keys", "zip(selection.keys,", "zip(reversed(selection.keys),"),
        "audit",
        since="audit",
    ),
    Fault(
        "a request value rounded by the server",
        code("vectors.computed:Computed.compute", "pl.DataFrame(columns, schema=self.schema)", "pl.DataFrame(columns, schema=self.schema).with_columns(pl.col(*self.requested).cast(pl.Float32).cast(pl.Float64))"),
        "audit",
        since="audit",
    ),
    Fault(
        "on-demand features in a shorter float",
        code("vectors.computed:Computed.compute", "compute(self.view, inputs)", "compute(self.view, inputs).cast(pl.Float32)"),
        "audit",
        since="audit",
    ),
    Fault(
        "on-demand features of the first row for all rows",
        code("vectors.computed:Computed.compute", ".rows()", ".rows()[:1] * len(rows)"),
        "audit",
        since="audit",
    ),
    Fault(
        "HTTP cuts integers above 2**53",
        code("service.lookup.endpoint:Endpoint.answer", "values=vectors.values", "values=[[int(float(v)) if type(v) is int else v for v in row] for row in vectors.values]"),
        "audit",
        since="audit",
    ),
    Fault(
        "HTTP sends local times without their zone",
        code("service.lookup.endpoint:Endpoint.answer", "values=vectors.values", "values=[[v.replace(tzinfo=None, hour=(v.hour + 19) % 24) if isinstance(v, datetime) else v for v in row] for row in vectors.values]"),
        "audit",
        since="audit",
    ),
    Fault(
        "Feast's wire swaps rows",
        code("service.lookup.feast_wire:_turned", "list(zip(*rows, strict=True))", "list(zip(*reversed(rows), strict=True))"),
        "audit",
        since="audit",
    ),
    Fault(
        "a release loses a row",
        code("operations.release.release:_copy_rows", "source.scan(view)", "list(source.scan(view))[1:]"),
        "release",
        since="release",
    ),
    Fault(
        "a release whose definitions are edited",
        edit("data/releases/0002/feature_repo/market.py", "ttl=timedelta(days=5)", "ttl=timedelta(days=50)"),
        "serve",
        since="serve",
    ),
)  # fmt: skip
