"""Every error carries its facts as fields; the message is made from them."""

import pickle

import pytest

from featurestore.errors import (
    ContractError,
    DefinitionError,
    StoreError,
    UnknownNameError,
    UnknownSettingError,
)


def test_an_unknown_name_carries_the_kind_the_name_and_the_known_names():
    """Programs decide by the fields, not by the message."""
    error = UnknownNameError("feature", "amuont", ["ratio", "amount"], within="view 'buying'")
    assert (error.kind, error.name, error.known) == ("feature", "amuont", ("amount", "ratio"))
    assert (error.within, error.nearest) == ("view 'buying'", "amount")
    assert error.message == "there is no feature named 'amuont' in view 'buying'"
    assert error.hint == "did you mean 'amount'? (known: amount, ratio)"


def test_a_name_that_resembles_nothing_lists_what_is_known():
    """Without a similar name the hint lists the known names."""
    assert UnknownNameError("release", "7", ["0001"]).hint == "known: 0001"
    assert UnknownNameError("release", "0007", []).hint == "known: none are defined"


def test_the_hint_lists_at_most_50_names():
    """A project with a thousand views gets a short message, and the field has all names."""
    error = UnknownNameError("feature view", "z", [f"v{number:04}" for number in range(1_100)])
    assert error.hint is not None
    assert error.hint.endswith("v0049 and 1,050 more")
    assert len(error.known) == 1_100


def test_a_long_message_is_cut():
    """A message has at most 2,000 characters of its own."""
    assert DefinitionError("x" * 5_000).message == "x" * 2_000 + " … (3,000 more characters)"


@pytest.mark.parametrize(
    "error",
    [
        UnknownNameError("feature", "a", ["b"], within="view 'v'"),
        ContractError("broken", hint="fix it", verdict=("a verdict",)),
        UnknownSettingError("pyproject.toml", "[tool.featurestore]", ["dta"], ["data"]),
        StoreError("no answer", hint="try again", retry=True),
    ],
)
def test_an_error_keeps_its_facts_between_processes(error):
    """Workers send errors to each other by pickle."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))
