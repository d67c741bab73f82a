"""Every error carries its facts as fields; the message is made from them."""

import ast
import pickle
from pathlib import Path

import pytest

from featurestore.errors import (
    ContractError,
    DefinitionError,
    MissingPackageError,
    StoreError,
    UnknownNameError,
    UnknownSettingError,
    package_needed_by,
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
        MissingPackageError("the online store Redis", "redis", extra="redis"),
    ],
)
def test_an_error_keeps_its_facts_between_processes(error):
    """Workers send errors to each other by pickle."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_an_import_that_fails_names_the_package_and_what_installs_it():
    """Programs decide by the fields: what needs the package, its name, and the requirement."""
    with pytest.raises(MissingPackageError) as caught, package_needed_by("a drawing", extra="drawings"):
        import no_such_package.shapes  # noqa: PLC0415, F401
    error = caught.value
    assert (error.needed_by, error.package) == ("a drawing", "no_such_package")
    assert error.requirement == "featurestore[drawings]"
    assert error.message == "a drawing needs the package no_such_package, which is not installed"
    assert error.hint == "run: pip install 'featurestore[drawings]'"


def test_a_package_that_is_installed_and_broken_is_not_called_missing():
    """The message has the reason: a name that the package lacks, or a library that it cannot load."""
    reason = "cannot be imported: cannot import name 'nothing'"
    with pytest.raises(MissingPackageError, match=reason), package_needed_by("a drawing"):
        from polars import nothing  # noqa: PLC0415, F401


# The branches of the error tree: a more specific class makes its hint from its facts.
BRANCHES = {"ConfigError", "ContractError", "DefinitionError", "MissingDataError", "SkewError", "StoreError"}


def raised_without_help(source):
    """Return the lines that raise an error of a branch with neither a hint nor the verdict that says what is broken."""
    calls = [
        node.exc
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    ]
    return [
        call.lineno
        for call in calls
        if ast.unparse(call.func) in BRANCHES
        and not {"hint", "verdict"} & {word.arg for word in call.keywords}
    ]


def test_each_error_says_what_to_do():
    """A message alone tells what is wrong; the reader wants to know the next step."""
    package = Path(__file__).parents[1] / "featurestore"
    lines = {
        path.relative_to(package).as_posix(): raised_without_help(path.read_text())
        for path in package.rglob("*.py")
    }
    assert {path: numbers for path, numbers in lines.items() if numbers} == {}


def test_an_error_without_a_hint_is_seen():
    """The check above reads calls, not text: a hint on another line counts, one of another call does not."""
    source = "raise StoreError(\n  'it fails',\n  hint='wait')\nraise StoreError(text(hint='wait'))\n"
    assert raised_without_help(source) == [4]
