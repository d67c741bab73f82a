"""A JSON object that names a key twice is refused at each door; one of its values would be lost without a word."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.errors import ContractError
from featurestore.values.json_keys import require_unique_keys, require_unique_keys_of_lines

TEXTS = st.text('a:" ,{}\\\n', max_size=6)
SPACES = st.text(" \n\t\r", max_size=2)


@st.composite
def objects(draw):
    """The text of a flat object, its pairs in any spacing."""
    pairs = draw(st.lists(st.tuples(TEXTS, st.one_of(TEXTS, st.integers(), st.none()))))
    written = [f"{json.dumps(k)}{draw(SPACES)}:{draw(SPACES)}{json.dumps(v)}" for k, v in pairs]
    return pairs, ("{" + ",".join(written) + "}").encode()


@examples(50)
@given(objects())
def test_a_repeated_key_is_refused_and_no_other_object_is(case):
    """Colons and quotes inside texts, and spaces before a colon, change nothing."""
    pairs, text = case
    keys = len(dict(pairs))
    if keys == len(pairs):
        require_unique_keys(text, keys, "body")
        return
    with pytest.raises(ContractError, match="more than once"):
        require_unique_keys(text, keys, "body")


def test_a_repeated_key_is_found_inside_a_nested_object():
    """The outer keys are unique here."""
    with pytest.raises(
        ContractError, match=r"^rows\.jsonl: line 2: an object has the key 'x' more than once"
    ):
        require_unique_keys_of_lines([b'{"a":{"x":1}}', b'{"a":{"x":1,"x":2}}'], "rows.jsonl")


def test_a_key_that_is_escaped_is_the_same_key():
    """JSON can write one name in two ways."""
    with pytest.raises(ContractError, match="'a'"):
        require_unique_keys(rb'{"a":1,"\u0061":2}', 1, "body")
