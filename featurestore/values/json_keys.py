"""JSON objects that name a key twice: readers of JSON keep one of the values and lose the other, so they are refused."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from featurestore.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterable

_SPACE: Final = b" \t\n\r"
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def require_unique_keys(text: bytes, keys: int, where: str) -> None:
    """Refuse JSON in which an object names a key twice.

    Parameters
    ----------
    text
        JSON that was decoded already.
    keys
        How many keys its objects have, as they were decoded. If the text has no place for another
        key, nothing is parsed: a request takes microseconds.
    where
        Begins the message.

    Raises
    ------
    ContractError
        If a key is named twice, or the text is nested too deep.
    """
    # Each key has a colon. Texts may have more; then what precedes the colons decides.
    if text.count(b":") == keys or text.translate(None, _SPACE).count(b'":') == keys:
        return

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) < len(items):
            repeated = next(name for name, count in Counter(name for name, _ in items).items() if count > 1)
            raise ContractError(
                f"{where}: an object has the key {repeated!r} more than once; expected one value for each key",
                hint="send each key once",
            )
        return result

    # Numbers are not needed, and Python limits the digits of integers.
    try:
        json.loads(text, object_pairs_hook=pairs, parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError as error:
        raise ContractError(f"{where}: the JSON is nested too deep", hint="send flat objects") from error


def require_unique_keys_of_lines(lines: Iterable[bytes], where: str) -> None:
    """Refuse JSON lines in which an object names a key twice. A line that is not an object is left to its reader.

    Raises
    ------
    ContractError
        If a key is named twice; the message names the line.
    """
    for number, line in enumerate(lines, 1):
        object_of_line(line, f"{where}: line {number:,}")


def object_of_line(line: bytes, where: str) -> dict[str, msgspec.Raw]:
    """Decode a JSON line as an object of raw values. Empty: the line is not an object, which its reader refuses.

    Raises
    ------
    ContractError
        If a key is named twice.
    """
    try:
        values = _object.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    require_unique_keys(line, len(values), where)
    return values
