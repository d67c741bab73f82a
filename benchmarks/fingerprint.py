"""The fingerprint of definitions: edits that change values and edits that do not, beside what ``feast apply`` notices.

``make bench-fingerprint`` writes a small project (the README's shop, grown: helpers by relative import, constants, an
upstream dataset, an on-demand view), edits it in more than 200 ways that change a value and more than 200 that do not,
loads each state, and compares fingerprints. An edit that changes a value must change the fingerprint of the training
set, and one difference must name it. An edit that changes none must change nothing.

Feast is asked about the same states: its own diff of registry objects, over the objects that featurestore compiles for
it, and over the source text of on-demand functions, which Feast keeps for an on-demand view.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/definitions/fingerprint"))
sys.dont_write_bytecode = True  # two edits within one tick of the clock must not share compiled code

from grown_shop import FILES, Shop, load, write  # noqa: E402 - found through the line above

from featurestore.definitions.fingerprint import differences, fingerprint_of, installed  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ORDERS, SCHEMAS, TERMS = "feature_repo/orders.py", "schemas/orders.py", "schemas/terms.py"
HELPER, RATES = "feature_repo/helper.py", "lib/rates.py"
SETTINGS = {
    "feature_repo/feature_store.yaml": (
        "project: shop\nprovider: local\nregistry: ../data/registry.db\nonline_store:\n"
        "  type: featurestore.adapters.feast.online.LmdbOnlineStore\n  path: ../data/online/store.lmdb\n"
    )
}


class Edit(NamedTuple):
    """One edit of the project.

    Attributes
    ----------
    kind
        What is edited, such as ``constant``.
    files
        The files that differ, with their new content.
    named
        A part of the text of the difference that must name the edit; None: the edit changes no value.
    versions
        Installed versions that differ.
    """

    kind: str
    files: dict[str, str]
    named: str | None = None
    versions: Mapping[str, str] = MappingProxyType({})


# What is edited, the file, the text, what it becomes, and a part of the text that names the edit.
MEANING: list[tuple[str, str, str, list[str], str]] = [
    ("constant", HELPER, "FACTOR = 2", [f"FACTOR = {n}" for n in range(3, 18)], "constant FACTOR"),
    ("constant", ORDERS, 'PERIOD = "30d"', [f'PERIOD = "{n}d"' for n in range(31, 46)], "constant PERIOD"),
    ("constant", SCHEMAS, "SLACK_DAYS = 30", [f"SLACK_DAYS = {n}" for n in range(20, 30)], "constant SLACK_DAYS"),
    ("constant", RATES, "1.0", [f"1.{n}" for n in range(1, 11)], "constant RATES"),
    ("body", ORDERS, '"euros").sum()', [f'"euros").{f}()' for f in ("mean", "max", "min", "first", "last", "median", "std", "product")], "body of customer_spending"),
    ("body", ORDERS, 'pl.col("loaded_at").max()', [f'pl.col("loaded_at").{f}()' for f in ("min", "first", "last", "median")], "body of customer_spending"),
    ("body", ORDERS, "hours=1", [f"hours={n}" for n in range(2, 12)], "body of visits"),
    ("body", ORDERS, "euros=worth", [f"euros=worth + {n}" for n in range(1, 9)], "body of orders"),
    ("body", ORDERS, '.sort("customer", "ordered_at")', ['.sort("ordered_at", "customer")', '.sort("customer", "ordered_at", descending=True)', '.sort("customer", "ordered_at", nulls_last=True)'], "body of customer_spending"),
    ("on-demand body", ORDERS, '/ pl.col("spent_30d")', [f'{o} pl.col("spent_30d")' for o in ("*", "+", "-", "//", "%", "**")], "body of compared"),
    ("helper", HELPER, "* FACTOR", [f"{o} FACTOR" for o in ("+", "-", "/", "//", "%", "**")], "body of scaled"),
    ("helper", HELPER, "return converted(value)", [f"return converted(value + {n})" for n in range(1, 9)], "body of scaled"),
    ("helper of a helper", RATES, '* RATES["EUR"]', ['* RATES["USD"]', '/ RATES["EUR"]', '+ RATES["EUR"]', '- RATES["EUR"]', "* 1", '* RATES["EUR"] * 2'], "body of converted"),
    ("check", SCHEMAS, "ge=0, le=MAX_AMOUNT", [f"ge={n}, le=MAX_AMOUNT" for n in range(1, 11)], "check amount.ge(0)"),
    ("check", TERMS, "10_000", [str(n * 10_000) for n in range(2, 10)], "check amount.le(10000)"),
    ("check", SCHEMAS, "ge=1, description", [f"ge={n}, description" for n in range(2, 8)], "check orders_30d.ge(1)"),
    ("check", SCHEMAS, ".total_days() <", [f".total_days() {o}" for o in ("<=", ">", ">=", "==", "!=")], "body of RawOrders.loaded_soon"),
    ("expectation", SCHEMAS, "(1, 1_000)", [f"({n}, 1_000)" for n in range(2, 10)], "check expect rows"),
    ("policy", SCHEMAS, '"tolerance": 0.3', [f'"tolerance": 0.{n}' for n in (1, 2, 4, 5, 6, 7)], "policy tolerance"),
    ("policy", SCHEMAS, '"on_invalid": "quarantine"', ['"on_invalid": "refuse"', '"on_invalid": "warn"'], "policy on_invalid"),
    ("policy", SCHEMAS, "strict = True", ["strict = False"], "policy strict"),
    ("schema", SCHEMAS, "spent_30d: pl.Float32", [f"spent_30d: pl.{d}" for d in ("Float64", "Int64", "Int32", "Int16")], "column spent_30d"),
    ("schema", SCHEMAS, "ratio: pl.Float32", [f"ratio: pl.{d}" for d in ("Float64", "Int64", "Int32")], "column ratio"),
    ("schema", SCHEMAS, "unique=True, ", ["", "unique=True, nullable=True, "], "column order"),
    ("source", ORDERS, "data/raw/orders.csv", [f"data/raw/orders{n}.csv" for n in range(2, 8)], "reader path"),
    ("reader option", ORDERS, '("-",)', [f'("{c}",)' for c in "?*.#!_"], "reader null_values"),
    ("timing", ORDERS, "days=5", [f"days={n}" for n in range(6, 14)], "timing ttl"),
    ("timing", ORDERS, "minutes=1", [f"minutes={n}" for n in range(2, 10)], "timing delay"),
    ("timing", ORDERS, "delay=", ["every=timedelta(minutes=5), delay="], "timing every"),
    ("service", ORDERS, "(customer_spending, compared)", ['(customer_spending["spent_30d"], compared)', '(customer_spending["orders_30d"], compared)', '(customer_spending["spent_30d", "orders_30d"], compared)'], "features of customer_spending"),
    ("training set", ORDERS, 'label="bought"', ['label="basket"'], "schema label"),
]  # fmt: skip


def meaning_edits() -> Iterator[Edit]:
    """Generate edits that change a value."""
    for kind, file, old, variants, named in MEANING:
        for new in variants:
            yield Edit(kind, {file: _once(file, old, new)}, named)
    for package in ("polars", "pandera", "pyarrow"):
        yield from (Edit("package version", {}, f"{package} ", {package: f"99.{n}.0"}) for n in range(3))


def neutral_edits(count: int) -> Iterator[Edit]:
    """Generate edits that change no value."""
    chance = random.Random(7)  # noqa: S311 - edits, not secrets
    files = [name for name in FILES if name.endswith(".py")]
    makers = (
        _comment,
        _blank_lines,
        _layout,
        _docstring,
        _local_name,
        _moved,
        _imports,
        _unused,
        _description,
    )
    for number, maker in zip(range(count), _cycle(makers), strict=False):
        yield maker(chance, chance.choice(files), number)


def _cycle(makers: tuple[Any, ...]) -> Iterator[Any]:
    while True:
        yield from makers


def _once(file: str, old: str, new: str) -> str:
    if FILES[file].count(old) != 1:
        raise ValueError(f"{file}: {old!r} occurs {FILES[file].count(old)} times; expected once")
    return FILES[file].replace(old, new)


def _statement_lines(file: str) -> list[int]:
    return sorted({node.lineno for node in ast.walk(ast.parse(FILES[file])) if isinstance(node, ast.stmt)})


def _inserted(file: str, line: int, text: str) -> Edit:
    lines = FILES[file].split("\n")
    indent = re.match(r"\s*", lines[line - 1]).group()  # type: ignore[union-attr]
    lines.insert(line - 1, f"{indent}{text}" if text.strip() else text)
    return Edit("", {file: "\n".join(lines)})


def _comment(chance: random.Random, file: str, number: int) -> Edit:
    return _inserted(file, chance.choice(_statement_lines(file)), f"# remark {number}")._replace(
        kind="comment"
    )


def _blank_lines(chance: random.Random, file: str, number: int) -> Edit:
    line = chance.choice(_statement_lines(file))
    return _inserted(file, line, "\n" * (number % 3))._replace(kind="blank lines")


def _layout(_: random.Random, file: str, number: int) -> Edit:
    return Edit("layout", {file: f"# {number}\n{ast.unparse(ast.parse(FILES[file]))}\n"})


def _docstring(chance: random.Random, _: str, number: int) -> Edit:
    file, text = chance.choice([(f, t) for f in FILES for t in re.findall(r'"""(.+?)"""', FILES[f])])
    return Edit("docstring", {file: FILES[file].replace(f'"""{text}"""', f'"""{text} Edition {number}."""')})


def _local_name(chance: random.Random, _: str, number: int) -> Edit:
    file, name = chance.choice(
        [(ORDERS, "worth"), (ORDERS, "total"), (RATES, "value"), (HELPER, "value"), (ORDERS, "rows")]
    )
    return Edit("local name", {file: re.sub(rf"\b{name}\b", f"{name}_{number}", FILES[file])})


def _moved(chance: random.Random, _: str, number: int) -> Edit:
    if number % 2:
        moved = "feature_repo/" + chance.choice(["core", "moved", "scaling"]) + f"{number}"
        module = moved.rpartition("/")[2]
        return Edit(
            "moved function",
            {HELPER: f"from .{module} import FACTOR, scaled, unused\n", f"{moved}.py": FILES[HELPER]},
        )
    tree = ast.parse(FILES[HELPER])
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    rest = [node for node in tree.body if node not in functions]
    chance.shuffle(functions)
    return Edit("moved function", {HELPER: ast.unparse(ast.Module([*rest, *functions], []))})


def _imports(chance: random.Random, _: str, number: int) -> Edit:
    file = chance.choice([ORDERS, SCHEMAS, HELPER])
    tree = ast.parse(FILES[file])
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    rest = [node for node in tree.body if node not in imports]
    chance.shuffle(imports)
    return Edit(
        "reordered imports", {file: f"# {number}\n{ast.unparse(ast.Module([*imports, *rest], []))}\n"}
    )


def _unused(chance: random.Random, _: str, number: int) -> Edit:
    file = chance.choice([ORDERS, SCHEMAS, HELPER, RATES])
    return Edit(
        "unused code",
        {
            file: f"{FILES[file]}\n\ndef unused_{number}(x):\n    return x + {number}\n\n\nLEVEL_{number} = {number}\n"
        },
    )


def _description(chance: random.Random, _: str, number: int) -> Edit:
    text = chance.choice(re.findall(r'description="(.+?)"', FILES[SCHEMAS]))
    return Edit(
        "description",
        {SCHEMAS: FILES[SCHEMAS].replace(f'description="{text}"', f'description="{text} ({number})"')},
    )


class Bench:
    """States of one project folder, their fingerprints, and what Feast sees of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.seconds = self.processor_seconds = 0.0
        self.version = installed.installed_version
        self.base = self._load(Edit("", {}))
        self.before = self._fingerprint(self.base)
        self.seconds = self.processor_seconds = 0.0
        self.feast_before = self._feast(self.base)

    def _load(self, edit: Edit) -> Shop:
        shutil.rmtree(self.root, ignore_errors=True)
        return load(write(self.root, {**SETTINGS, **edit.files}), fingerprints=False)

    def _fingerprint(self, shop: Shop) -> Any:
        with self._timed():
            return fingerprint_of(shop.definition("visits"), shop.catalog, root=self.root)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started, processor = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - started
        self.processor_seconds += time.process_time() - processor

    def texts(self, edit: Edit, *, feast: bool) -> tuple[list[str], bool | None]:
        """Return the differences that an edit makes, and whether Feast notices it (None: not asked)."""
        shop = self._load(edit)
        installed.installed_version = lambda name: edit.versions.get(name) or self.version(name)
        try:
            fingerprint = self._fingerprint(shop)
        finally:
            installed.installed_version = self.version
        with self._timed():
            texts = [difference.text for difference in differences(self.before, fingerprint)]
        return texts, self._feast(shop) != self.feast_before if feast else None

    def _feast(self, shop: Shop) -> dict[str, Any]:
        """Return the specifications that Feast's diff of registry objects compares, by object."""
        import inspect  # noqa: PLC0415 - Feast's part alone

        from featurestore.adapters.feast.objects import compile_catalog  # noqa: PLC0415 - takes seconds
        from featurestore.config import load_settings  # noqa: PLC0415 - as above

        objects = compile_catalog(shop.catalog, load_settings(self.root))
        specifications = {f"{type(o).__name__} {o.name}": _specification(o) for o in objects}
        for name, view in shop.catalog.on_demand.items():
            specifications[f"source of {name}"] = inspect.getsource(view.function)
        return specifications


def _specification(feast_object: Any) -> str:
    proto = feast_object.to_proto()
    text = str(proto.spec if hasattr(proto, "spec") else proto)
    # The time at which an object was created does not count.
    return re.sub(r"(created|last_updated)\w* \{[^}]*\}", "", text)


def main() -> None:
    """Run all edits and print what was caught."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a few edits of each kind, without Feast")
    arguments = parser.parse_args()
    meaning, neutral = list(meaning_edits()), list(neutral_edits(27 if arguments.small else 225))
    if arguments.small:
        meaning = list({edit.kind: edit for edit in meaning}.values())
    with tempfile.TemporaryDirectory() as folder:
        failures, rows = run(Path(folder).resolve() / "shop", meaning, neutral, feast=not arguments.small)
    print("\n".join(rows))
    if failures:
        raise SystemExit("\n".join(failures))


def run(root: Path, meaning: list[Edit], neutral: list[Edit], *, feast: bool) -> tuple[list[str], list[str]]:
    """Try the edits; return what failed, and the table of results."""
    bench = Bench(root) if feast else _without_feast(root)
    failures: list[str] = []
    counts: Counter[tuple[str, str]] = Counter()
    for edit in (*meaning, *neutral):
        texts, noticed = bench.texts(edit, feast=feast)
        right = any(edit.named in text for text in texts) if edit.named else not texts
        if not right:
            failures.append(f"{edit.kind}: expected {edit.named or 'no difference'}, found {texts}")
        counts[edit.kind, "edits"] += 1
        counts[edit.kind, "right"] += right
        counts[edit.kind, "feast"] += bool(noticed)
    beside = " {:>10}" if feast else ""
    rows = [("{:22} {:>6} {:>12}" + beside).format("edit", "edits", "fingerprint", "feast apply")]
    for title, edits in (("changes a value", meaning), ("changes no value", neutral)):
        rows.append(f"{title}: noticed" if edits is meaning else f"{title}: noticed (none is right)")
        for kind in dict.fromkeys(edit.kind for edit in edits):
            edited, right = counts[kind, "edits"], counts[kind, "right"]
            noticed_count = right if edits is meaning else edited - right
            rows.append(
                ("  {:20} {:>6} {:>12}" + beside).format(kind, edited, noticed_count, counts[kind, "feast"])
            )
        kinds = {edit.kind for edit in edits}
        total = [sum(counts[kind, column] for kind in kinds) for column in ("edits", "right", "feast")]
        caught = total[1] if edits is meaning else total[0] - total[1]
        rows.append(("  {:20} {:>6} {:>12}" + beside).format("all", total[0], caught, total[2]))
    tried = len(meaning) + len(neutral)
    rows.append(
        f"{tried:,} edits: {bench.seconds:.2f} s for fingerprints and differences, {bench.processor_seconds:.2f} s of "
        f"processor time, {bench.processor_seconds / tried * 1e3:.2f} ms an edit of six definitions; loading is not counted"
    )
    return failures, rows


def _without_feast(root: Path) -> Bench:
    class WithoutFeast(Bench):
        def _feast(self, _: Shop) -> dict[str, Any]:
            return {}

    return WithoutFeast(root)


if __name__ == "__main__":
    main()
