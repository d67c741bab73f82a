"""Whether Feast and the stores can hold the values of a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.errors import DefinitionError
from featurestore.values.table import feast_type

if TYPE_CHECKING:
    from featurestore.definitions.contract import Column


def require_storable(where: str, column: Column) -> None:
    """Require that values of a column can be stored and sent exactly.

    Parameters
    ----------
    where
        The definition, for the message.

    Raises
    ------
    DefinitionError
        If the dtype cannot make the round trip; the message has the reason and the dtype to use instead.
    """
    try:
        feast_type(column.dtype)
    except ValueError as error:
        raise DefinitionError(
            f"{where}, column {column.name!r}: {column.dtype} is not supported: {error}",
            hint="change the dtype in the schema, and cast the column in the function",
        ) from None
