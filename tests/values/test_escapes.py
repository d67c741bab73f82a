"""No control sequence of a stored text reaches a terminal or a generated file."""

import ast
import json

import pytest

from featurestore.operations.adopt.text import prose
from featurestore.quality.profile.suggest import literal
from featurestore.values.escapes import escaped, escaped_json, one_line

# Colour, C1's start of a sequence, DEL, carriage return, reversed order, a mark of order, a line separator.
CONTROLS = ["\x1b[31m", "\x9b2J", "\x7f", "\r", "\u202eabc", "\u2066x", "\u200f", "\u2028", "\ufeff", "\x00"]
PLAIN = "Zürich → 東京 👩‍💻 ½"


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
def test_controls_are_escapes(control):
    """In text, in JSON, in a string literal and in a docstring; the meaning of JSON and of the literal stays."""
    text = f"a{control}b"
    for shown in (
        escaped(text),
        escaped_json(json.dumps(text, ensure_ascii=False)),
        literal(text),
        prose(text),
    ):
        assert not set(control) & set(shown) - set("[31m2Jabcx")
    assert json.loads(escaped_json(json.dumps(text, ensure_ascii=False))) == text
    assert ast.literal_eval(literal(text)) == text
    ast.parse(f'"""{prose(text)}"""')


def test_other_characters_stay():
    """Letters, signs and joined emoji of all languages; tabs and lines stay where lines may be."""
    assert escaped(f"{PLAIN}\t\n") == f"{PLAIN}\t\n"
    assert one_line(f"{PLAIN}\t\n") == f"{PLAIN}\\t\\n"
    assert literal(PLAIN) == f'"{PLAIN}"'
