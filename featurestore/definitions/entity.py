"""An entity: the thing that features describe, identified by one or more key columns of a few dtypes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.errors import DefinitionError
from featurestore.values.arguments import wrong_type

if TYPE_CHECKING:
    from featurestore.definitions.contract import Contract


# Dtypes whose equal values have equal bytes in every store.
KEY_DTYPES: Final = (
    pl.String,
    pl.Int8,
    pl.Int16,
    pl.Int32,
    pl.Int64,
    pl.UInt8,
    pl.UInt16,
    pl.UInt32,
    pl.Boolean,
    pl.Binary,
)


@dataclass(frozen=True)
class Entity:
    """The thing that features describe.

    Parameters
    ----------
    name
        The name, such as ``"route"``.
    keys
        The columns that identify an entity, such as ``("origin", "dest")``. Their dtypes come from
        the schemas.
    description
        The meaning, for people.
    """

    name: str
    keys: tuple[str, ...]
    description: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.keys, tuple | list) or not all(isinstance(key, str) for key in self.keys):
            raise wrong_type(
                f"entity {self.name!r}: keys",
                self.keys,
                "a tuple of names",
                hint='write keys=("customer",), with a comma after a single name',
            )
        for field, value in (("name", self.name), ("description", self.description)):
            if not isinstance(value, str):
                raise wrong_type(
                    f"entity: {field}", value, "text", hint='write Entity("customer", ("customer",))'
                )
        if not self.keys or len(set(self.keys)) != len(self.keys):
            raise DefinitionError(
                f"entity {self.name!r}: keys is {self.keys}, expected one or more different columns",
                hint='write keys=("origin", "dest")',
            )

    def require_keys(self, contract: Contract, *, of: str) -> None:
        """Refuse a schema that lacks a key, or whose key is nullable or of another dtype.

        Parameters
        ----------
        contract
            The schema of rows that the entity identifies.
        of
            What has the schema, for messages.

        Raises
        ------
        DefinitionError
            If a key is missing, nullable, or not of one of `KEY_DTYPES`.
        """
        for key in self.keys:
            if key not in contract:
                raise DefinitionError(
                    f"{of}: schema {contract.name} lacks {key!r}, a key of entity {self.name!r}",
                    hint=f"add {key!r} to the schema, or name another entity",
                )
            column = contract[key]
            if column.nullable:
                raise DefinitionError(
                    f"{of}: key {key!r} is nullable in schema {contract.name}",
                    hint="remove nullable=True, and leave rows without a key out in the function",
                )
            if not isinstance(column.dtype, KEY_DTYPES):
                raise DefinitionError(
                    f"{of}: key {key!r} is {column.dtype}, which cannot be a key",
                    hint=f"use one of {', '.join(dtype.__name__ for dtype in KEY_DTYPES)}",
                )


def require_entity(view: str, entity: object, contract: Contract) -> None:
    """Refuse an entity of a wrong type, such as its name, and one whose keys the schema lacks. None: the view has no entity.

    Raises
    ------
    DefinitionError
        If it has a wrong type; or as `Entity.require_keys`.
    """
    if entity is None:
        return
    if not isinstance(entity, Entity):
        raise wrong_type(
            f"feature view {view!r}: entity",
            entity,
            "an Entity or None",
            hint='write entity=Entity("customer", ("customer",))',
        )
    entity.require_keys(contract, of=f"feature view {view!r}")
