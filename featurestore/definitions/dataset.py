"""A dataset: a typed Polars function derives it from contracted data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurestore.definitions.signature import signature_of
from featurestore.values.checked_calls import checked_call

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from featurestore.definitions.contract import Contract
    from featurestore.definitions.signature import Transformation


@dataclass(frozen=True, eq=False)
class Dataset:
    """A function from contracted datasets to a contracted dataset."""

    name: str
    function: Transformation
    inputs: tuple[Contract, ...]
    contract: Contract
    description: str
    owner: str
    defined_in: Path


@checked_call
def dataset(*, owner: str) -> Callable[[Transformation], Dataset]:
    """Declare a derived dataset. The name of the function is the name of the dataset.

    Raises
    ------
    DefinitionError
        If an annotation or the docstring of the function is missing.
    """

    def declare(function: Transformation) -> Dataset:
        signature = signature_of(function)
        return Dataset(
            name=function.__name__,
            function=function,
            inputs=signature.inputs,
            contract=signature.output,
            description=signature.description,
            owner=owner,
            defined_in=signature.path,
        )

    return declare
