"""The options of the server are declared once: the command line and the reference table derive from them."""

import inspect

import msgspec
import pytest
from typer.testing import CliRunner

from featurestore.cli.app import app
from featurestore.cli.serve import serve
from featurestore.service.runtime.options import ARGUMENTS, Options, option_table, server_options

DECLARED = {
    field.name: field.default for field in msgspec.structs.fields(Options) if field.name not in ARGUMENTS
}


def test_each_field_of_the_options_is_an_option_with_a_help_text():
    """No option is without an explanation."""
    assert {option.name: option.default for option in server_options()} == DECLARED
    assert all(option.help.endswith(".") for option in server_options())


def test_the_command_has_the_declared_options_and_defaults():
    """`featurestore serve` adds only its arguments and the folder of the project."""
    parameters = inspect.signature(serve).parameters
    assert {name: parameter.default for name, parameter in parameters.items() if name in DECLARED} == DECLARED
    assert set(parameters) - set(DECLARED) == {"services", "project"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "0"], "greater than or equal to 1"),
        (["--log-features", "2"], "less than or equal to 1"),
        (["--port", "many"], "--port"),
    ],
)
def test_a_value_out_of_bounds_is_refused(arguments, message):
    """The bounds of the declaration hold on the command line."""
    result = CliRunner().invoke(app, ["serve", *arguments], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 2
    assert message in result.output


def test_the_command_passes_every_option_to_the_server(monkeypatch, tmp_path):
    """What is given on the command line arrives; all else has its default."""
    passed = []
    monkeypatch.setattr("featurestore.service.run.serve", passed.append)
    arguments = ["serve", "buying", "--project", str(tmp_path), "--allow-anonymous", "--no-log-requests"]
    result = CliRunner().invoke(app, [*arguments, "--stale-cache-keys", "7", "--tls-key", "key.pem"])
    assert result.exit_code == 0, result.output
    assert passed == [
        Options(
            root=str(tmp_path),
            services=("buying",),
            allow_anonymous=True,
            log_requests=False,
            stale_cache_keys=7,
            tls_key="key.pem",
        )
    ]


def test_the_reference_table_has_flags_defaults_and_help():
    """Amounts have thousands separators; switches that are on have their negation."""
    table = {flags: default for flags, default, _ in option_table()}
    assert table["--max-rows"] == "1,000"
    assert table["--port"] == "8566"
    assert table["--log-requests/--no-log-requests"] == "on"
    assert table["--allow-anonymous"] == "off"
    assert table["--tls-key"] == ""


def test_options_travel_to_worker_processes(monkeypatch):
    """A worker reads what its parent wrote."""
    monkeypatch.setenv("FEATURESTORE_SERVE", "")
    options = Options(root="/shop", services=("buying",), timeout=0.5, log_keys=True)
    options.to_environment()
    assert Options.from_environment() == options
