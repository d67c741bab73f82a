"""The signature of a transformation: the contracts of its parameters and of its result."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from featurestore.definitions.contract import Contract, contract_of
from featurestore.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    Transformation = Callable[..., pl.LazyFrame]


@dataclass(frozen=True, eq=False)
class Signature:
    """The contracts, the description and the file of a transformation."""

    inputs: tuple[Contract, ...]
    output: Contract
    description: str
    path: Path


def signature_of(function: Transformation) -> Signature:
    """Read the ``Frame[...]`` annotations and the docstring of a transformation.

    Raises
    ------
    DefinitionError
        If a parameter or the result is not annotated ``Frame[<schema>]``, or the docstring is
        missing.
    """
    name = getattr(function, "__name__", repr(function))
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise DefinitionError(
            f"{name}: an annotation cannot be resolved: {error}",
            hint="import the schema at the top of the module, not under TYPE_CHECKING",
        ) from error
    parameters = tuple(inspect.signature(function).parameters)
    for position in (*parameters, "return"):
        if _model(hints.get(position)) is None:
            part = "the result" if position == "return" else f"parameter {position!r}"
            raise DefinitionError(
                f"{name}: {part} is not annotated Frame[<schema>]",
                hint="write def name(rows: Frame[Input]) -> Frame[Output], with schemas of schemas/",
            )
    if not function.__doc__:
        raise DefinitionError(
            f"{name}: the docstring is missing",
            hint="describe the rows in one sentence; it becomes the description",
        )
    return Signature(
        inputs=tuple(contract_of(_model(hints[parameter])) for parameter in parameters),
        output=contract_of(_model(hints["return"])),
        description=" ".join(function.__doc__.split()),
        path=Path(inspect.getsourcefile(function) or "").resolve(),
    )


def _model(annotation: Any) -> Any:
    if get_origin(annotation) is None or not hasattr(annotation, "__metadata__"):
        return None
    model = get_args(annotation)[1]
    return model if hasattr(model, "to_schema") else None
