"""Names and dtypes that the features, keys and request values of a service must agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.errors import DefinitionError

if TYPE_CHECKING:
    import polars as pl

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import Selection


def keys_of(selection: Selection) -> dict[str, pl.DataType]:
    """Return the request columns that hold the keys of a selection, with their dtypes."""
    return dict(zip(selection.keys, selection.view.key_schema.values(), strict=True))


def refuse_clashes(service: FeatureService) -> None:
    """Check the names and dtypes of a service.

    Raises
    ------
    DefinitionError
        If two features have the same name, a key or request value has two dtypes, or a label names two reads.
    """
    origin: dict[str, str] = {}
    labels: dict[str, Selection] = {}
    for selection in service.selections:
        earlier = labels.setdefault(selection.label, selection)
        if (earlier.view, earlier.keys) != (selection.view, selection.keys):
            raise DefinitionError(
                f"feature service {service.name!r}: {selection.label!r} names two reads: of {earlier.view.name!r} "
                f"by {earlier.keys}, and of {selection.view.name!r} by {selection.keys}",
                hint="give each read an alias of its own",
            )
    stored = ((s.label, name) for s in service.reads for name in s.names)
    computed = ((view.name, name) for view in service.on_demand for name in view.feature_names)
    for view, feature in (*stored, *computed):
        if feature in origin:
            raise DefinitionError(
                f"feature service {service.name!r}: feature {feature!r} is in {origin[feature]!r} and in {view!r}",
                hint="rename one of them, or select only one of them",
            )
        origin[feature] = view
    dtypes: dict[str, tuple[pl.DataType, str]] = {}
    for view, schema in (
        *((s.label, keys_of(s)) for s in service.reads),
        *((view.name, view.request.schema) for view in service.on_demand),
    ):
        for column, dtype in schema.items():
            known, first = dtypes.setdefault(column, (dtype, view))
            if known != dtype:
                raise DefinitionError(
                    f"feature service {service.name!r}: {column!r} is {known} in {first!r} and {dtype} in {view!r}",
                    hint=f"declare one dtype for {column!r} in both schemas",
                )
            if column in origin:
                raise DefinitionError(
                    f"feature service {service.name!r}: {column!r} is a feature of {origin[column]!r} and "
                    f"also a request column of {view!r}",
                    hint="rename one of them",
                )
