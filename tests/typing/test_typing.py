"""User code in mypy's strict mode: right code passes, and wrong code is refused on its line."""

import re
from pathlib import Path

import mypy.api
import pytest

ROOT = Path(__file__).parents[2]
ACCEPTED = "tests/typing/accepted.py"
REFUSED = "tests/typing/refused.py"
# Adapters and the command line hide these libraries: the API has none of their types. mypy reads as much of them as of
# everything else.
HIDDEN = ("duckdb", "dvc", "feast", "markdown_it", "pandas", "rich", "sqlalchemy")
EXPECTED = re.compile(r"# expect: ([\w-]+(?:, [\w-]+)*)$")
ERROR = re.compile(r"^(?P<path>[^:]+):(?P<line>\d+): error: (?P<message>.*)  \[(?P<code>[\w-]+)\]$")


@pytest.fixture(scope="module")
def errors(request, tmp_path_factory):
    """Run mypy once without our settings, as users do; return its errors by file and line."""
    cache = request.config.cache.mkdir("mypy")
    settings = tmp_path_factory.mktemp("mypy") / "mypy.ini"
    sections = ",".join(f"{library}.*" for library in HIDDEN)
    settings.write_text(
        f"[mypy]\n[mypy-{sections}]\nfollow_imports = skip\nfollow_imports_for_stubs = true\n"
    )
    options = ["--strict", f"--config-file={settings}", "--follow-imports=silent", f"--cache-dir={cache}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("MYPYPATH", str(ROOT))
        printed, failure, _ = mypy.api.run([*options, "--no-error-summary", ACCEPTED, REFUSED])
    assert failure == ""
    by_place = {}
    for line in printed.splitlines():
        if match := ERROR.match(line):
            by_place.setdefault((match["path"], int(match["line"])), {})[match["code"]] = match["message"]
        else:
            assert ": note: " in line, line
    return by_place


def test_right_code_is_accepted(errors):
    """Definitions, the methods of a project and their results have their types."""
    assert {place: codes for place, codes in errors.items() if place[0] == ACCEPTED} == {}


def test_wrong_code_is_refused(errors):
    """Each line with `# expect:` has the errors that it names, and no other line has one."""
    lines = (ROOT / REFUSED).read_text().splitlines()
    expected = {
        number: set(match[1].split(", "))
        for number, line in enumerate(lines, start=1)
        if (match := EXPECTED.search(line))
    }
    assert len(expected) > 30
    assert {line: set(codes) for (path, line), codes in errors.items() if path == REFUSED} == expected
