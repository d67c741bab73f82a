"""A deny list for the words of docstrings, comments, messages, pages, templates and names.

`python tests/test_vocabulary.py [FOLDER]` prints every place with its reason, and counts.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
CODE = ("featurestore", "schemas", "feature_repo", "benchmarks", "tests")
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "Makefile",
    ".ci/run",
    "pyproject.toml",
    "docs/**/*.md",
    "featurestore/**/*.j2",
)
# Functions that print their arguments, and arguments that are printed, outside of errors.
PRINTERS = {"BadParameter", "echo", "fail", "print", "warn"}
MESSAGES = {"help", "hint", "epilog", "description", "message", "short_help"}

# Pattern -> the right word. Patterns ignore case. Where a word has a legitimate use, the pattern
# names the context of the others.
DENIED = {
    # Words of the table in our style: one word for one idea.
    r"(?<!for a )(?<!at the )(?<!the same )(?<!at any )(?<!that )\bmoments?\b": "an instant: timestamp; the one that a question is asked for: as_of",
    r"\bat the (most|least)\b": "at most, at least",
    r"\bthe least\b|\bleast,? (and )?most\b|\b(least|most) values?\b": "min, max; smallest, largest",
    r"\bodd (numbers?|values?|floats?)\b": "non-finite",
    r"\btruth values?\b": "boolean",
    r"\bsurroundings\b": "context",
    r"\bconform(s|ed)?\b": "casting; failed",
    r"\bmend(s|ed|ing)?\b": "rows corrected by hand: corrections; code: fix",
    r"\bjudg(e|es|ed|ing)\b": "validate",
    r"\bkeyless\b": "--allow-anonymous",
    r"\bremember(s|ed|ing)?\b": "stale cache, caches",
    r"\bgo(es)? back to\b|\bwent back\b": "rollback, rolls back",
    r"\b(written|writes?|set|sets) aside\b": "atomic_write: writes a temporary file, then renames it",
    r"\bcells of (equal weight|their own|its own)\b|\b(empty|each|a) cell (of its own|stands|is no)\b": "bins",
    r"\bpromise[sd]? of\b|\bcannot be promised\b": "the contract requires, declares",
    r"\b(its|their) meanings? (is|are)\b": "description, documentation",
    r"\b(some|strong) drift\b|\bdrift is (some|strong)\b": "severity: none, minor, major",
    r"\bstanding\b": "watermark",
    # Archaic or inverted: most readers are not native speakers.
    r"\bwhoever\b": "name the reader: callers, users",
    r"\bwhatever\b": "any, every, all that",
    r"\banew\b|\bafresh\b": "again, from scratch",
    r"\bbesides\b": "in addition to, other than, and also",
    r"\btold\b": "is given, receives, is named; told apart: distinguished",
    r"\b(is|are|was|were) said\b|\bas said\b|\bwhat \w+ said\b": "is declared, is reported",
    r"\bwhat (is|was|are|were) asked\b|\bmoments? asked\b|\basked (of|with)\b": "the request, the requested ...",
    r"(?<!there )\b(is|are|was|were) no(?! (longer|more|later|older|newer|larger|smaller|greater|less|slower|such)\b)\b": "is not a; negate the verb, not the noun",
    r"\bof nothing\b(?! but)|\bnothing of (what|the)\b": "of no rows, none; negate the verb",
    r"\b(is|are|was|were|be) (not )?there\b": "exists; is missing",
    r"\b(lie|lies|lain)\b": "is, is stored in",
    r"\bstands? (in|at|on|there|once|twice|beside|side|ready)\b": "is in, is next to",
    r"\bwhat (is|was) (not )?\w+ (goes|is|are|was|stands|stays)\b": "inverted: name the subject, then the verb",
    r"\b(lest|hence|thereof|therein|whereof|wherein|naught|aught|amiss|yonder|nowhere)\b": "archaic: say it plainly",
    r"\bin vain\b": "without effect",
    r"\bby (itself|themselves)\b": "separately, automatically, without ...",
    r"\bso many\b": "this many, a number of",
    r"\bset apart\b": "quarantined, put in quarantine",
    r"\b(says?|tells?) of (a|an|each|it|the)\b": "says about",
    r"\bas (it|they) came\b": "as it arrived, unchanged",
    r"\btells? \w+ apart\b": "identifies, distinguishes",
    r"\b(only|of|to|for) who\b": "name the reader: callers, users",
    r"\b(a|the) (asked|given|found|made|told|said)\b(?! \w)": "a participle is not a noun: name what it is",
}
# Each pattern begins with a word: none is tried within one.
ANY_DENIED = "|".join(f"(?P<d{i}>{pattern})" for i, pattern in enumerate(DENIED)).replace(" ", r"\s")
PATTERN = re.compile(rf"\b(?=\w)(?:{ANY_DENIED})", re.IGNORECASE)
REASONS = list(DENIED.values())
# Variables that say how a value came, not what it holds.
UNNAMED = frozenset({"told", "found", "asked", "given", "made", "said", "whole", "one", "other"})
# Parts of names, of modules, classes, functions, attributes and variables, and the right word.
DENIED_PARTS = {
    **dict.fromkeys(("least", "most"), "min, max; how many at most: limit"),
    **dict.fromkeys(("moment", "moments"), "timestamp, as_of"),
    **dict.fromkeys(("mend", "mends", "mended"), "corrections"),
    **dict.fromkeys(("remember", "remembers", "remembered"), "stale_cache"),
    **dict.fromkeys(("judge", "judged", "judging"), "validate"),
    **dict.fromkeys(("conform", "conformed"), "casting, failed"),
    "following": "key_reload, release_reload",
    "keyless": "allow_anonymous",
    "odd": "non_finite",
    "promises": "json_schema",
    "standing": "watermark",
    "surroundings": "context",
    "truth": "boolean",
}
CODE_SPAN = re.compile(r"^```.*?^```|``[^`]*``|`[^`\n]*`|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"(?:^\s*|  )# (.*)$")


class Place(NamedTuple):
    """A word that is denied, or a variable that is not named."""

    path: str
    line: int
    text: str
    reason: str

    @property
    def room(self) -> str:
        """The folder whose owner is responsible."""
        parts = self.path.split("/")[:-1]
        return "/".join(parts[:2]) or self.path

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text!r}: {self.reason}"


def texts_of(nodes: list[ast.AST], text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the prose of docstrings, messages and comments."""
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield from strings_in(first.value)
        elif isinstance(node, ast.Call) and is_message(node.func):
            yield from strings_in(node)
        elif isinstance(node, ast.keyword) and node.arg in MESSAGES:
            yield from strings_in(node.value)
    for number, line in enumerate(text.splitlines(), start=1):
        if match := COMMENT.search(line):
            yield number, match[1]


def is_message(function: ast.expr) -> bool:
    """Say whether a call makes an error (also as `SomeError.of`), or prints."""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in PRINTERS or any(
        "Error" in getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(function)
    )


def strings_in(node: ast.expr) -> Iterator[tuple[int, str]]:
    """Yield the literal strings of an expression, those of f-strings included."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.lineno, part.value


def denied_in(path: str, first: int, text: str) -> Iterator[Place]:
    """Yield the denied words of a text, outside spans of code."""
    prose = CODE_SPAN.sub(lambda span: "\n" * span[0].count("\n") or "`", text)
    # A line ends in one character, as a word does, so that a pattern is found across lines.
    for match in PATTERN.finditer(re.sub(r"[ \t]*\n[ \t]*", "\n", prose)):
        line = first + match.string.count("\n", 0, match.start())
        yield Place(path, line, " ".join(match[0].split()), REASONS[int(match.lastgroup[1:])])


def names_in(nodes: list[ast.AST]) -> Iterator[tuple[int, str, bool]]:
    """Yield line and text of each name that a module defines; True for variables and parameters.

    Python's own name for the operand of a method such as ``__add__`` is ``other``.
    """
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    operands = {node.args.args[-1] for node in functions if node.name.startswith("__") and node.args.args}
    for node in nodes:
        if node in operands and node.arg == "other":
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id, True
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr, False
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name, False
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg, True


def denied_names_in(path: str, nodes: list[ast.AST]) -> Iterator[Place]:
    """Yield the names that do not say what they hold, or that have a part with a better word."""
    for line, name, is_variable in ((1, Path(path).stem, False), *names_in(nodes)):
        if is_variable and name in UNNAMED:
            yield Place(path, line, name, "name what the variable holds")
        parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
        # The name of a test is a sentence.
        if not name.startswith("test_") or line == 1:
            for part in parts:
                if reason := DENIED_PARTS.get(part.lower()):
                    yield Place(path, line, name, reason)


@cache
def denied() -> tuple[list[Place], list[Place]]:
    """Find all denied words, and all denied names; this module is left out."""
    words: list[Place] = []
    names: list[Place] = []
    paths = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]
    for path in paths:
        if path == Path(__file__):
            continue
        name, text = path.relative_to(ROOT).as_posix(), path.read_text()
        nodes = list(ast.walk(ast.parse(text)))
        names += denied_names_in(name, nodes)
        for line, prose in texts_of(nodes, text):
            words += denied_in(name, line, prose)
    for pattern in PAGES:
        for page in sorted(ROOT.glob(pattern)):
            words += denied_in(page.relative_to(ROOT).as_posix(), 1, page.read_text())
    return list(dict.fromkeys(words)), list(dict.fromkeys(names))


def summary(places: list[Place]) -> str:
    """Write a count for each room, and the first places."""
    rooms = Counter(place.room for place in places)
    counts = "\n".join(f"{count:5} {room}" for room, count in sorted(rooms.items()))
    return f"{len(places)} places\n{counts}\n" + "\n".join(map(str, places[:20]))


def test_no_word_of_the_deny_list_is_used():
    """Docstrings, comments, messages, pages and templates use plain sentences and fixed words."""
    words, _ = denied()
    if words:
        pytest.fail(summary(words))


def test_no_name_of_the_deny_list_is_used():
    """Names use the field's words, and variables are named for what they hold."""
    _, names = denied()
    if names:
        pytest.fail(summary(names))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("At most 3 rows, at least 1; at the moment of the request, for a moment.", []),
        ("There is no row, and it is no longer used: `moment`, ``whoever``.", []),
        ("The moment asked, whoever asks.", ["moment", "whoever"]),
        ("A value is no\n    number; it lies\n    outside.", ["is no", "lies"]),
        ("Rows, besides those told apart, written anew.", ["besides", "told", "anew"]),
        ("Where the file is not there, at the most once.", ["is not there", "at the most"]),
        ("```python\nmoment = whoever\n```", []),
        ("A check runs by itself\non so many rows.", ["by itself", "so many"]),
        ("What it says of a row that was set apart as it came.", ["says of a", "set apart", "as it came"]),
    ],
)
def test_words_are_denied_by_their_context(text, words):
    """Words with a legitimate use are denied in the others; spans of code are left out."""
    assert [place.text.lower().removeprefix("the ") for place in denied_in("page.md", 1, text)] == words


def test_names_are_denied_by_their_parts():
    """A part of a name counts wherever it is; whole words count for variables only."""
    module = ast.parse(
        "MOST_ROWS = 1\nclass ParseMoment: ...\ndef found(asked): self._least = almost = 1\n"
        "def __add__(self, other): ...\ndef add(self, other): ..."
    )
    texts = [place.text for place in denied_names_in("rows.py", list(ast.walk(module)))]
    assert len(texts) == 5
    assert set(texts) == {"MOST_ROWS", "ParseMoment", "asked", "_least", "other"}


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [p for p in (*denied()[0], *denied()[1]) if p.path.startswith(folder)]
    sys.stdout.write("\n".join(map(str, chosen)) + f"\n{summary(chosen)}\n")
