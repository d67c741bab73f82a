"""The parts of each kind of definition."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeAlias

from featurestore.definitions.dataset import Dataset
from featurestore.definitions.feature_service import FeatureService, TrainingSet
from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.fingerprint.contract_parts import ContractReader
from featurestore.definitions.fingerprint.installed import COMPUTING, distributions_of
from featurestore.definitions.fingerprint.parts import Part, part_digest, value_part
from featurestore.definitions.fingerprint.plain_values import UnknownValueError
from featurestore.definitions.known import ALWAYS
from featurestore.definitions.on_demand import OnDemandFeatureView
from featurestore.definitions.source import Source
from featurestore.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from featurestore.definitions.contract import Contract
    from featurestore.definitions.feature_view import Selection
    from featurestore.definitions.fingerprint.closure import Closure
    from featurestore.definitions.fingerprint.parts import DefinitionKind, PartKind
    from featurestore.definitions.fingerprint.project_files import ProjectFiles
    from featurestore.definitions.known import Known

Fingerprinted: TypeAlias = Source | Dataset | FeatureView | OnDemandFeatureView | FeatureService | TrainingSet
KINDS: dict[type, DefinitionKind] = {
    Source: "source",
    Dataset: "dataset",
    FeatureView: "feature view",
    OnDemandFeatureView: "on-demand view",
    FeatureService: "feature service",
    TrainingSet: "training set",
}
# Formats that Polars reads; DuckDB reads all others.
POLARS_FORMATS = (".csv", ".parquet")
# Fields that document, or that are counted separately. Every other field counts by its value.
HANDLED_FIELDS = frozenset(
    [
        "name",
        "description",
        "owner",
        "tags",
        "defined_in",
        "function",
        "inputs",
        "contract",
        "request",
        "sources",
        "selections",
        "on_demand",
        "service",
        "label",
        "matures",
        "split",
        "sample",
        "entity",
        "timing",
        "path",
        "origin",
        "null_values",
        "windows",
        "window_contract",
        "identity",
        "steps",
        "fitted",
        "fits",
        "served",
        "labellers",
    ]
)


def own_parts(definition: Fingerprinted, closure: Closure, files: ProjectFiles) -> list[Part]:
    """List the parts of a definition that are not code, and start to follow its code.

    Raises
    ------
    DefinitionError
        If a declared value has no text that is the same in every process.
    """
    if not isinstance(definition, FeatureService | Source):
        closure.add_function(definition.function, definition=True)
    parts: list[Part] = []
    for contract in contracts_of(definition):
        parts += ContractReader(contract, closure, schema_file(contract, files)).parts()
    parts += _declared(definition)
    if isinstance(definition, FeatureView) and definition.windows:
        parts += _windows(definition, closure)
    parts += _further_fields(definition, closure)
    return parts


def contracts_of(definition: Fingerprinted) -> Iterator[Contract]:
    """List the contracts that a definition keeps, or asks of a request."""
    if isinstance(definition, OnDemandFeatureView):
        yield definition.request
    if not isinstance(definition, FeatureService):
        yield definition.contract
    if isinstance(definition, FeatureView) and definition.window_contract is not None:
        yield definition.window_contract


def schema_file(contract: Contract, files: ProjectFiles) -> str:
    """Return the file of a schema relative to the project's root; empty if it is not a project file."""
    try:
        path = files.owned(inspect.getsourcefile(contract.model))
    except (OSError, TypeError):
        return ""
    return files.relative(path) if path is not None else ""


def distributions(definition: Fingerprinted) -> Iterator[str]:
    """List the distributions that compute a definition, its own code left out.

    NumPy is not among them: windows and fitted steps add whole numbers and round once, so no version of it changes a
    bit. What steps learned is part of the fingerprint itself.
    """
    yield from COMPUTING
    if isinstance(definition, Source):
        if not definition.path.endswith(POLARS_FORMATS):
            yield "duckdb"
        if definition.origin is not None:
            yield from distributions_of(definition.origin.package)


def _declared(definition: Fingerprinted) -> Iterator[Part]:
    if isinstance(definition, Source):
        yield from _reader(definition)
    elif isinstance(definition, FeatureView):
        timing = definition.timing
        yield value_part("schema", "keys", ", ".join(definition.keys))
        yield value_part("timing", "delay", timing.delay)
        yield value_part("timing", "every", timing.every)
        yield value_part("timing", "ttl", timing.ttl)
        yield value_part("timing", "created_timestamp", timing.created)
    elif isinstance(definition, OnDemandFeatureView):
        yield from _selections(definition.sources)
    elif isinstance(definition, FeatureService):
        yield from _vector(definition)
    elif isinstance(definition, TrainingSet):
        yield from _training_set(definition)


def _training_set(training: TrainingSet) -> Iterator[Part]:
    yield value_part("schema", "label", training.label)
    yield value_part("schema", "service", training.service.name)
    # Without these, the digests of training sets of a former version stay.
    if training.matures is not None:
        yield value_part("timing", "matures", _maturity(training.matures))
    if training.split:
        yield value_part("schema", "split", " and ".join(map(str, training.split)))
    if training.sample is not None:
        yield value_part("schema", "sample", training.sample)
    if training.served:
        yield value_part("schema", "served", training.served)
    if training.labellers is not None:
        yield value_part("schema", "labellers", training.labellers)
    if training.fits:
        yield value_part("step", "fits", training.fits)


def _vector(service: FeatureService) -> Iterator[Part]:
    yield from _selections(service.selections)
    for view in service.on_demand:
        yield value_part("schema", f"features of {view.name}", ", ".join(view.feature_names))
    yield value_part("schema", "order of features", ", ".join(service.joined.feature_names))
    for number, step in enumerate(service.steps, 1):
        yield value_part("step", f"{number}", step)
    if service.fitted is not None:
        yield value_part("step", "fitted state", service.fitted.digest)


def _reader(source: Source) -> Iterator[Part]:
    yield value_part("reader", "path", source.path)
    yield value_part("reader", "null_values", source.null_values)
    if source.origin is not None:
        yield value_part("reader", "origin", f"{source.origin.package}/{source.origin.member}")


def _selections(selections: Iterable[Selection]) -> Iterator[Part]:
    for selection in selections:
        keys = f" by {', '.join(selection.keys)}" if selection.keys != selection.view.keys else ""
        alias = f" as {selection.alias}" if selection.alias else ""
        text = f"{', '.join(selection.features)}{alias}{keys}"
        yield value_part("schema", f"features of {selection.view.name}{alias}", text)


def _windows(view: FeatureView, closure: Closure) -> Iterator[Part]:
    """Count each field of each window that is set, so that a change says which window reads what else."""
    yield value_part("schema", "identity of events", ", ".join(view.identity))
    for name, window in view.windows.items():
        for option in fields(window):
            value = getattr(window, option.name)
            if value is not option.default:
                yield _encoded(view, "timing", f"window {name}: {option.name}", value, closure)


def _further_fields(definition: Fingerprinted, closure: Closure) -> Iterator[Part]:
    """Count every field that this module does not know by its value, so that a new option is not left out."""
    kind: PartKind = "reader" if isinstance(definition, Source) else "timing"
    for field in fields(definition):
        if field.name in HANDLED_FIELDS:
            continue
        yield _encoded(definition, kind, field.name, getattr(definition, field.name), closure)


def _encoded(definition: Fingerprinted, kind: PartKind, name: str, value: Any, closure: Closure) -> Part:
    try:
        tokens, text = closure.encode(value)
    except UnknownValueError as error:
        raise DefinitionError(
            f"{KINDS[type(definition)]} {definition.name!r}: {name} holds a {error}, whose text differs "
            "between processes",
            hint="use numbers, text, times, Polars expressions, functions, or containers of them",
        ) from error
    return Part(kind=kind, name=name, digest=part_digest(tokens), value=text)


def _maturity(known: Known) -> str:
    """Write when a label is known. Not as messages do: a text that is reworded would be another definition."""
    columns = " or else ".join(known.columns) or ALWAYS
    return f"{columns} + {known.delay}" if known.delay else columns
