"""The reference names everything that users can name, and nothing else."""

import ast
import dataclasses
import inspect
import re
from functools import cached_property
from pathlib import Path

import pytest
import typer
from snippets import section

import featurestore
from featurestore import Project, config, errors, preprocessing, testing, windows
from featurestore.adapters.feast import online
from featurestore.cli.app import app
from featurestore.operations.card.card import DECLARED
from featurestore.project.quality import Quality
from featurestore.quality import assess
from featurestore.quality.change import thresholds
from featurestore.quality.rules.expectation_kinds import KINDS
from featurestore.quality.rules.expectations import DECLARATIONS
from featurestore.service.api.problems import kind_of, status_of
from featurestore.service.api.routes import ROUTES
from featurestore.service.runtime.options import option_table
from featurestore.service.telemetry.metric_table import COUNTERS, HISTOGRAMS, METRICS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "featurestore"
SHARED_OPTIONS = {"--help"}


def page(name: str) -> str:
    """Return the text of a page of the reference."""
    return (ROOT / f"docs/reference/{name}.md").read_text()


def rows(text: str) -> list[list[str]]:
    """Return the cells of the rows of all tables, without their heads."""
    bodies = re.findall(r"^\|[ :|-]+\|\n((?:\|.*\n?)*)", text, re.MULTILINE)
    lines = [line for body in bodies for line in body.splitlines()]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def names(text: str) -> list[str]:
    """Return the names in the first column of all tables."""
    return [name for row in rows(text) for name in re.findall(r"`([^`]+)`", row[0])]


def table(text: str, head: str) -> str:
    """Return the table whose first head is the one given."""
    [match] = re.findall(rf"^\| {re.escape(head)} \|.*?(?=\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    return match


def commands(command=None, prefix=()):
    """List the commands of the command line, each with its words."""
    command = typer.main.get_command(app) if command is None else command
    children = getattr(command, "commands", None)
    if children is None:
        return {" ".join(prefix): command}
    leaves = {}
    for name, child in children.items():
        leaves |= commands(child, (*prefix, name))
    return leaves


def options_of(command) -> set[str]:
    """Return the long options of a command."""
    flags = {
        flag
        for parameter in command.params
        if parameter.param_type_name == "option"
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    return {flag for flag in flags if flag.startswith("--")} - SHARED_OPTIONS


def arguments_of(command) -> list[str]:
    """Return the arguments of a command as the reference prints them."""
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    return [p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments]


def headings() -> dict[str, str]:
    """Return the section of each command by its heading, which is the command with its arguments."""
    parts = re.split(r"^### `(.+)`$", page("cli"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.partition("\n## ")[0] for part in parts[2::2]), strict=True))


def test_every_command_is_documented_with_its_arguments():
    """The headings are the commands, each with its arguments in order."""
    expected = {" ".join([name, *arguments_of(command)]) for name, command in commands().items()}
    assert set(headings()) == expected


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_option_of_a_command_is_documented(name):
    """A command's section names its long options, and no others."""
    [text] = [text for head, text in headings().items() if re.fullmatch(rf"{name}( [\[A-Z].*)?", head)]
    listed = [row[0] for row in rows(text)] + re.findall(r"Options:\s+(.+?)\.(?:\n|$)", text, re.DOTALL)
    assert set(re.findall(r"--[a-z-]+", " ".join(listed))) == options_of(commands()[name])


def test_every_global_option_is_documented():
    """The first table of the reference names the options of `featurestore` itself."""
    documented = names(table(page("cli"), "option of `featurestore` itself"))
    assert set(documented) == options_of(typer.main.get_command(app)) | SHARED_OPTIONS


def test_every_option_of_the_server_is_documented_with_its_default_and_meaning():
    """The table of `serve` is the table of its options."""
    documented = [(row[0].strip("`"), *row[1:]) for row in rows(table(page("cli"), "option | default"))]
    assert documented == option_table()


def test_every_public_name_is_documented():
    """The tables of names are what `featurestore` exports."""
    text = page("python")
    documented = [n for head in ("Definitions", "The project", "Errors") for n in names(_named(text, head))]
    assert sorted(documented) == sorted(featurestore.__all__)


def _named(text: str, head: str) -> str:
    return table(section(text, head), "name")


def test_every_public_name_for_tests_is_documented():
    """The table of names for tests is what `featurestore.testing` exports."""
    assert sorted(names(_named(page("python"), "Testing"))) == sorted(testing.__all__)


@pytest.mark.parametrize(("title", "cls"), [("Project", Project), ("Project.quality", Quality)])
def test_every_public_member_is_documented(title, cls):
    """The tables of methods and attributes are those of the classes."""
    members = {name: member for name, member in inspect.getmembers_static(cls) if not name.startswith("_")}
    attributes = {name for name, member in members.items() if isinstance(member, property | cached_property)}
    text = page("python")
    assert set(names(table(text, f"method of `{title}`"))) == set(members) - attributes
    if attributes:
        assert set(names(table(text, f"attribute of `{title}`"))) == attributes


def test_every_expectation_is_documented():
    """The table of expectations has each kind once, in the order of the code."""
    assert names(table(page("schema-metadata"), "kind")) == list(KINDS)


def test_every_drift_measure_is_documented():
    """The table of measures in the reference and in the guide have each measure."""
    guide = (ROOT / "docs/how-to/find-drift-and-anomalies.md").read_text()
    assert set(names(table(page("schema-metadata"), "measure"))) == set(thresholds.KNOWN)
    assert set(names(table(guide, "measure"))) == set(thresholds.KNOWN)


def test_the_default_thresholds_are_documented():
    """The guide shows the default thresholds of minor and major drift."""
    guide = (ROOT / "docs/how-to/find-drift-and-anomalies.md").read_text()
    documented = {
        row[0].strip("`"): tuple(map(float, row[-2:])) for row in rows(table(guide, "measure")) if row[-1]
    }
    assert documented == thresholds.THRESHOLDS


def test_every_metadata_key_is_documented():
    """The tables of keys are the keys of `metadata` that the code reads."""
    documented = names(section(page("schema-metadata"), "Of a field"))
    documented += names(section(page("schema-metadata"), "Of the schema"))
    assert set(documented) == set(_metadata_keys())


def _metadata_keys():
    """Find the constants by which the code reads `metadata`."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=owner, attr="get"), args=[ast.Constant(value=str(key)), *_]
                ) if _is_metadata(owner):
                    yield key
                case ast.Subscript(value=owner, slice=ast.Constant(value=str(key))) if _is_metadata(owner):
                    yield key
    # The keys that are read by a variable.
    yield from DECLARATIONS
    yield from re.findall(r"licence|permitted_use|personal_data", inspect.getsource(assess))
    yield from DECLARED


def _is_metadata(node: ast.expr) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) == "metadata"


def test_every_route_is_documented_with_its_scope():
    """The table of paths is the route table of the server, with what a key needs."""
    documented = {
        (row[0], row[1].strip("`"), row[2].strip("`")) for row in rows(table(page("http"), "method"))
    }
    expected = {(route.method, route.path, route.scope.value) for route in ROUTES}
    assert documented == expected


def test_every_error_class_is_documented_with_its_exit_code_and_status():
    """The table of classes has each class with its exit code; the statuses follow from the server's table."""
    classes = [
        c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, errors.FeatureStoreError)
    ]
    documented = {row[0].strip("`"): row for row in rows(table(page("errors"), "class"))}
    assert {name: row[1] for name, row in documented.items()} == {
        c.__name__: str(c.exit_code) for c in classes
    }
    for cls in classes:
        error = cls.__new__(cls, "message")
        error.retry = False
        assert str(status_of(error)) in documented[cls.__name__][4], cls


def test_every_exit_code_is_documented():
    """The table of exit codes has 0, 2 for wrong usage, and the codes of the errors."""
    codes = {c.exit_code for c in vars(errors).values() if inspect.isclass(c) and hasattr(c, "exit_code")}
    documented = [int(row[0]) for row in rows(table(page("errors"), "exit code"))]
    assert documented == sorted(codes | {0, 2})


def test_every_kind_of_error_over_http_is_documented():
    """The table of kinds has those that are not names of classes."""
    kinds = {kind_of(RuntimeError()), kind_of(UnicodeDecodeError("utf-8", b"", 0, 0, ""))}
    for path in PACKAGE.rglob("service/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and "RefusedError" in ast.unparse(node):
                kinds |= {
                    argument.value
                    for argument in node.args[1:3]
                    if isinstance(argument, ast.Constant)
                    and re.fullmatch(r"[A-Z][a-z]+[A-Za-z]*", str(argument.value))
                }
    assert set(names(table(page("errors"), "kind"))) == kinds - set(dir(errors))


def test_every_metric_is_documented_with_its_type_and_labels():
    """The table of metrics is the server's."""
    kinds = {**dict.fromkeys(COUNTERS, "counter"), **dict.fromkeys(HISTOGRAMS, "histogram")}
    expected = {
        m.name: (kinds.get(m, "gauge"), ", ".join(f"`{label}`" for label in m.labels)) for m in METRICS
    }
    documented = {row[0].strip("`"): (row[1], row[2]) for row in rows(table(page("metrics"), "metric"))}
    assert documented == expected


def test_every_setting_is_documented_with_its_default():
    """The first table of settings has each key of [tool.featurestore]; the defaults are those of the code."""
    documented = {
        row[0].strip("`"): row[1].strip("`")
        for row in rows(
            table(page("settings"), "key | default | meaning |\n| --- | --- | --- |\n| `schemas`")
        )
    }
    assert set(documented) == set(config.KNOWN)
    defaults = {f.name: f.default for f in dataclasses.fields(config.Settings)}
    assert documented["engine"] == f'"{defaults["engine"]}"'
    assert documented["memory"] == str(defaults["memory"])


def test_every_setting_of_the_online_store_is_documented():
    """The table of `online_store` has the settings of all three stores."""
    classes = (online.LmdbOnlineStoreConfig, online.RedisOnlineStoreConfig, online.PostgresOnlineStoreConfig)
    documented = names(section(page("settings"), "`online_store` of `feature_store.yaml`"))
    assert set(documented) == {field for cls in classes for field in cls.model_fields}


def test_every_environment_variable_is_documented():
    """The table of variables has those of the code that users set."""
    internal = {"FEATURESTORE_SERVE"}
    text = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    documented = names(table(page("settings"), "variable"))
    assert set(documented) == set(re.findall(r'"(FEATURESTORE_[A-Z_]+)"', text)) - internal


def test_every_window_is_documented_with_its_arguments():
    """The table has each public function once, with the arguments that have no default."""
    cells = [row[0] for row in rows(table(page("python"), "function of `windows`"))]
    documented = {call for cell in cells for call in re.findall(r"`(\w+\(.*?\))`", cell)}
    assert documented == {
        f"{name}({', '.join(needed_arguments(getattr(windows, name)))})" for name in windows.__all__
    }


def needed_arguments(function) -> list[str]:
    """Return the names of the arguments without a default."""
    parameters = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in parameters if parameter.default is parameter.empty]


def test_every_step_of_preprocessing_is_documented():
    """The tables of steps and selectors have each public name once."""
    text = page("python")
    steps = [re.findall(r"`(\w+)\(", row[0]) for row in rows(table(text, "function of `preprocessing`"))]
    selectors = [re.findall(r"`(\w+)\(", row[0]) for row in rows(table(text, "selector of `preprocessing`"))]
    documented = {name for names in (*steps, *selectors) for name in names}
    assert documented == set(preprocessing.__all__)


def test_every_step_has_its_arguments():
    """Arguments after `*` are those that are given by name."""
    cells = [row[0] for row in rows(table(page("python"), "function of `preprocessing`"))]
    for name, written in re.findall(r"`(\w+)\((.*?)\)`", " ".join(cells)):
        parameters = inspect.signature(getattr(preprocessing, name)).parameters.values()
        by_position = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        by_name = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        before, _, after = written.partition("*")
        assert before.strip(", ").split(", ") == (by_position or [""]), name
        assert set(after.strip(", ").split(", ")) - {""} <= by_name, name
