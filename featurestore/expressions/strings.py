"""Functions of text that Python and Polars compute alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.expressions.patterns import MAX_LENGTH, ascii_only, flat_pattern
from featurestore.expressions.writer import UncompiledError, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.expressions.writer import Writer

# Of one text. What depends on the tables of Unicode is left to Polars, unless the text is ASCII.
_OF_ONE: Final = {
    "Lowercase": "ascii_text({0}).lower()",
    "Uppercase": "ascii_text({0}).upper()",
    "LenChars": "len({0})",
    "LenBytes": "len({0}.encode())",
}
_OF_TWO: Final = {
    "StartsWith": "{0}.startswith({1})",
    "EndsWith": "{0}.endswith({1})",
    "StripPrefix": "{0}.removeprefix({1})",
    "StripSuffix": "{0}.removesuffix({1})",
}
_STRIPS: Final = {"StripChars": "strip", "StripCharsStart": "lstrip", "StripCharsEnd": "rstrip"}
_SPACES: Final = " \t\n\v\f\r"


def function(writer: Writer, kind: Any, inputs: Sequence[Value], dtype: pl.DataType) -> Value:
    """Write a function of the namespace ``str``.

    Raises
    ------
    UncompiledError
        If the function, or its arguments, are not known.
    """
    [(name, options)] = kind.items() if isinstance(kind, dict) else [(kind, {})]
    if any(value.dtype not in (pl.String, pl.Null) and not value.is_literal for value in inputs):
        raise UncompiledError(f"str.{name} of {inputs[0].dtype}")
    text = _text(name, options, inputs)
    pattern = inputs[1].literal if name == "Contains" and inputs[1].is_literal else None
    if text is None and isinstance(pattern, str):
        return _found(writer, inputs[0], pattern, dtype)
    if text is None:
        raise UncompiledError(f"str.{name} with these arguments")
    for value in inputs:
        if value.literal is None and name not in _STRIPS:
            raise UncompiledError(f"str.{name} with a null")
    read = [value for value in inputs if not value.is_literal]
    return writer.lifted(text, *read, dtype=dtype)


def _text(name: str, options: dict[str, Any], inputs: Sequence[Value]) -> str | None:  # noqa: PLR0911 - one for each function
    texts = [value.text for value in inputs]
    constants = [value.literal if value.is_literal else None for value in inputs[1:]]
    if name in _OF_ONE:
        return _OF_ONE[name].format(*texts)
    if name in _OF_TWO:
        return _OF_TWO[name].format(*texts)
    if name == "Contains":
        # A pattern without special characters is found as it is.
        is_plain = options["literal"] or (type(constants[0]) is str and re.fullmatch(r"[\w ]+", constants[0]))
        return f"{texts[1]} in {texts[0]}" if is_plain else None
    if name in _STRIPS and constants == [None] and inputs[1].is_literal:
        return f"ascii_text({texts[0]}).{_STRIPS[name]}({_SPACES!r})"
    if name == "Replace" and options["literal"] and constants[0] and inputs[2].is_literal:
        return f"{texts[0]}.replace({texts[1]}, {texts[2]}, {int(options['n'])})"
    if name in ("Slice", "Head", "Tail") and all(type(c) is int and c >= 0 for c in constants):
        return _slice(name, texts[0], constants)
    if name == "ConcatHorizontal" and not options["ignore_nulls"]:
        return f"{options['delimiter']!r}.join(({', '.join(texts)},))"
    return None


def _found(writer: Writer, value: Value, pattern: str, dtype: pl.DataType) -> Value:
    """Write whether a regular expression is found. Texts for which the engines may differ are left to Polars."""
    translated = flat_pattern(pattern, anchored=False)
    if translated is None:
        raise UncompiledError("str.contains with this pattern")
    text = value.text
    writer.require(f"{text} is None or len({text}) <= {MAX_LENGTH}")
    if ascii_only(translated):
        writer.require(f"{text} is None or {text}.isascii()")
    search = writer.constant(re.compile(translated, re.ASCII).search)
    return writer.lifted(f"{search}({text}) is not None", value, dtype=dtype)


def _slice(name: str, text: str, numbers: Sequence[Any]) -> str:
    if name == "Tail":
        return f"{text}[-{numbers[0]}:]" if numbers[0] else f"{text}[:0]"
    start, length = numbers if name == "Slice" else (0, numbers[0])
    return f"{text}[{start}:{start + length}]"
