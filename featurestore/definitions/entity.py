"""An entity: the thing that features describe, identified by one or more key columns."""

from __future__ import annotations

from dataclasses import dataclass

from featurestore.errors import DefinitionError


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
        if not self.keys or len(set(self.keys)) != len(self.keys):
            raise DefinitionError(
                f"entity {self.name!r}: keys is {self.keys}, expected one or more different columns",
                hint='write keys=("origin", "dest")',
            )
