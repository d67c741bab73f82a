"""Bounds of JSON bodies: what would hold up the event loop is refused by its text, and text in strings counts for nothing."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.errors import ContractError
from featurestore.values import json_bounds
from featurestore.values.json_bounds import CONTAINERS_PER_ROW, MAX_DIGITS, require_bounded
from featurestore.values.json_keys import require_unique_keys

MIB = 1 << 20
TOO_MANY = {
    "lists": b'{"entities":{"a":[' + b",".join([b"[]"] * 300_000) + b"]}}",
    "objects": b'{"entities":{"a":[' + b",".join([b'{"":0}'] * 140_000) + b"]}}",
    "columns": b'{"entities":{' + b",".join(b'"k%d":[]' % i for i in range(80_000)) + b"}}",
    "between quotes": b'[]"",' * (MIB // 5),
}
TOO_LONG = {
    "integer": b"[" + b"1" * MIB + b"]",
    "integers": b"[" + b",".join([b"1" * 4_000] * 250) + b"]",
    "fraction": b"[0." + b"1" * MIB + b"]",
    "exponent": b"[1e" + b"1" * MIB + b"]",
}
TEXT = {
    "braces": json.dumps({"a": "{[" * (MIB // 2)}).encode(),
    "escaped quotes": json.dumps({"a": '"[' * 100_000}).encode(),
    "backslashes": json.dumps({"a": ["\\", "[" * 100_000, "\\\\"]}).encode(),
    "digits": json.dumps({"a": "1" * MIB}).encode(),
}


@pytest.mark.parametrize("body", TOO_MANY)
def test_too_many_lists_and_objects_are_refused(body):
    """Each takes a microsecond to decode, and the garbage collector visits all of them."""
    with pytest.raises(
        ContractError, match="lists and objects; expected at most 32,000, 32 for each of 1,000"
    ):
        require_bounded(TOO_MANY[body], max_rows=1_000, where="the body")


def test_lists_that_are_nested_too_deep_are_named_as_such():
    """The door answers 400, as to all bodies that a decoder finds too deep."""
    with pytest.raises(RecursionError):
        require_bounded(b"[" * MIB, max_rows=1_000, where="the body")


@pytest.mark.parametrize("body", TOO_LONG)
def test_a_number_of_too_many_digits_is_refused(body):
    """Python takes quadratic time for the digits of an integer."""
    with pytest.raises(ContractError, match="a number of more than 400 digits"):
        require_bounded(TOO_LONG[body], max_rows=1_000, where="the body")


@pytest.mark.parametrize("body", TEXT)
def test_text_in_strings_is_not_counted(body):
    """A text may be JSON itself."""
    assert msgspec.json.decode(TEXT[body])
    require_bounded(TEXT[body], max_rows=1_000, where="the body")


def _containers_of(value):
    if isinstance(value, dict):
        return 1 + sum(map(_containers_of, value.values()))
    return 1 + sum(map(_containers_of, value)) if isinstance(value, list) else 0


texts = st.text(alphabet='a"\\[{1\n', max_size=6)
values = st.recursive(
    texts | st.integers(-99, 99),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)


@given(values)
@examples(60)
def test_the_count_of_lists_and_objects_is_that_of_the_decoded_value(value):
    """Quotes and backslashes in strings do not end them."""
    text = json.dumps(value).encode()
    assert json_bounds._containers(json_bounds._without_strings(text)) == _containers_of(value)


def test_bodies_at_the_bounds_pass():
    """The bounds are inclusive; the largest float has 309 digits."""
    limit = CONTAINERS_PER_ROW * 1_000
    rows = b"[" + b",".join([b"{}"] * (limit - 1)) + b"]"
    require_bounded(rows, max_rows=1_000, where="the body")
    require_bounded(b"[" + b"1" * MAX_DIGITS + b"," * MIB + b"]", max_rows=1_000, where="the body")
    with pytest.raises(ContractError):
        require_bounded(b"[" + rows + b"]", max_rows=1_000, where="the body")


def test_a_repeated_key_among_many_is_found_in_one_pass():
    """Comparing each key with all others took ten seconds for 20,000 keys, on the event loop."""
    count = 200_000
    keys = ",".join(f'"k{i}":0' for i in range(count))
    body = f'{{{keys},"k{count - 1}":0}}'.encode()
    with pytest.raises(ContractError, match="the key 'k199999' more than once"):
        require_unique_keys(body, count, "the body")
