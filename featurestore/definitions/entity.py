"""An entity: the thing that features describe, known by one or more key columns."""

from __future__ import annotations

from dataclasses import dataclass

from featurestore.errors import DefinitionError


@dataclass(frozen=True)
class Entity:
    """The thing that features describe.

    Parameters
    ----------
    name
        Such as ``"route"``.
    keys
        The columns that identify one, such as ``("origin", "dest")``. Their dtypes come from the schemas.
    description
        What one is, for people.
    """

    name: str
    keys: tuple[str, ...]
    description: str = ""

    def __post_init__(self) -> None:
        if not self.keys or len(set(self.keys)) != len(self.keys):
            raise DefinitionError(
                f"entity {self.name!r}: it needs one or more different keys, not {self.keys}"
            )
