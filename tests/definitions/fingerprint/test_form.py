"""The canonical form: laws over generated code, and code that looks alike and is not."""

import ast
import textwrap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurestore.definitions.fingerprint.canonical import canonical

NOTHING = frozenset()
SLOW = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
NAMES = ("alpha", "beta", "gamma", "delta")


def digest(code: str, **options) -> str:
    return canonical(ast.parse(textwrap.dedent(code)).body, **options).digest(NOTHING)


def expressions() -> st.SearchStrategy[str]:
    leaves = st.sampled_from(
        [*NAMES, "GLOBAL", "pl.col('amount')", "1", "2.5", "'text'", "None", "helper.scaled"]
    )

    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "<", "and"]), inner).map(
                lambda t: f"({' '.join(t)})"
            ),
            st.tuples(inner, inner).map(lambda t: f"f({t[0]}, key={t[1]})"),
            st.tuples(inner, st.sampled_from(NAMES)).map(
                lambda t: f"[{t[0]} for {t[1]} in {t[0]} if {t[1]}]"
            ),
            st.tuples(inner, st.sampled_from(NAMES)).map(lambda t: f"(lambda {t[1]}: {t[0]})"),
            inner.map(lambda e: f"({e}).attribute"),
            st.tuples(inner, inner).map(lambda t: "{" + f"'a': {t[0]}, **{t[1]}" + "}"),
            st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
            inner.map(lambda e: 'f"{' + e.replace('"', "'") + '!r:>{10}} text"' if "'" not in e else e),
        )

    return st.recursive(leaves, grown, max_leaves=6)


def statements(depth: int = 2) -> st.SearchStrategy[list[str]]:
    name, value = st.sampled_from(NAMES), expressions()
    simple = st.one_of(
        st.tuples(name, value).map(lambda t: [f"{t[0]} = {t[1]}"]),
        st.tuples(name, value).map(lambda t: [f"{t[0]} += {t[1]}"]),
        value.map(lambda e: [f"return {e}"]),
        value.map(lambda e: [f"call({e})"]),
        st.tuples(name, value).map(lambda t: [f"if ({t[0]} := {t[1]}): pass"]),
        st.just(["nonlocal_text = 'alpha'"]),
    )
    if not depth:
        return simple

    def block(head: str) -> st.SearchStrategy[list[str]]:
        inner = st.lists(statements(depth - 1), min_size=1, max_size=2)
        return inner.map(lambda parts: [head, *(f"    {line}" for part in parts for line in part)])

    heads = [
        "for beta in alpha:",
        "if alpha:",
        "while beta:",
        "with open(alpha) as gamma:",
        "def delta(alpha, beta=1):",
    ]
    return st.one_of(simple, st.sampled_from(heads).flatmap(block))


@st.composite
def functions(draw) -> str:
    body = [line for part in draw(st.lists(statements(), min_size=1, max_size=4)) for line in part]
    head = ["def function(alpha, beta=GLOBAL, *, gamma=None):", "    delta = 0"]
    return "\n".join([*head, *(f"    {line}" for line in body)])


@SLOW
@given(functions(), st.permutations(NAMES))
def test_renamed_locals_and_another_layout_keep_the_digest(code, names):
    """Any renaming of locals, written by ``ast.unparse``, has the form of the original."""
    renaming = dict(zip(NAMES, (f"{name}_{i}" for i, name in enumerate(names)), strict=True))
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = renaming.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = renaming.get(node.arg, node.arg)
        elif isinstance(node, ast.FunctionDef) and node.name != "function":
            node.name = renaming.get(node.name, node.name)
    assert digest(ast.unparse(tree)) == digest(code)
    assert digest(ast.unparse(ast.parse(code))) == digest(code)


@SLOW
@given(functions(), st.data())
def test_a_swap_of_two_locals_in_one_place_is_seen(code, data):
    """One use of a local that becomes another local changes the form: locals are numbers, not nothing."""
    tree = ast.parse(code)
    uses = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.Name) and n.id in ("alpha", "gamma") and isinstance(n.ctx, ast.Load)
    ]
    inside = [
        n
        for f in ast.walk(tree)
        if isinstance(f, ast.Lambda | ast.FunctionDef) and getattr(f, "name", "") != "function"
        for n in ast.walk(f)
    ]
    inside += [n for c in ast.walk(tree) if isinstance(c, ast.ListComp) for n in ast.walk(c)]
    uses = [use for use in uses if use not in inside]
    if uses:
        use = data.draw(st.sampled_from(uses))
        use.id = "gamma" if use.id == "alpha" else "alpha"
        assert digest(ast.unparse(tree)) != digest(code)


ALIKE = {
    "other operands": ("def f(a, b): return a - b", "def f(a, b): return b - a"),
    "a global for a local": ("def f(a): return a", "def f(a): return b"),
    "another global": ("def f(a): return g(a)", "def f(a): return h(a)"),
    "another attribute": ("def f(a): return a.sum()", "def f(a): return a.mean()"),
    "another keyword": ("def f(a): return a.sort(x=1)", "def f(a): return a.sort(y=1)"),
    "a number of another type": ("def f(): return 1", "def f(): return 1.0"),
    "True for 1": ("def f(): return 1", "def f(): return True"),
    "text for bytes": ("def f(): return 'a'", "def f(): return b'a'"),
    "text in an f-string": ("def f(a): return f'x{a}y'", "def f(a): return f'{a}xy'"),
    "a format": ("def f(a): return f'{a:>3}'", "def f(a): return f'{a:>4}'"),
    "a slice": ("def f(a): return a[1:]", "def f(a): return a[:1]"),
    "a default": ("def f(a=1): return a", "def f(a=2): return a"),
    "which parameter has it": ("def f(a, *, b=1, c): return a", "def f(a, *, b, c=1): return a"),
    "a star": ("def f(*a): return a", "def f(**a): return a"),
    "a nested scope": (
        "def f(a):\n def g(): return a\n a = 2\n return g",
        "def f(a):\n def g(a=1): return a\n a = 2\n return g",
    ),
    "nonlocal": (
        "def f(a):\n def g():\n  nonlocal a\n  a = 1\n g()\n return a",
        "def f(a):\n def g():\n  a = 1\n g()\n return a",
    ),
    "global": ("def f():\n global a\n a = 1", "def f():\n a = 1"),
    "an order of statements": ("def f(a):\n g(a)\n h(a)", "def f(a):\n h(a)\n g(a)"),
    "a comprehension's source": ("def f(a, b): return [a for a in b]", "def f(a, b): return [a for b in a]"),
    "a comprehension for a generator": ("def f(b): return [a for a in b]", "def f(b): return (a for a in b)"),
    "another exception": ("def f():\n try: g()\n except A: h()", "def f():\n try: g()\n except B: h()"),
    "async": ("async def f(a): return a", "def f(a): return a"),
    "a decorator": ("@g\ndef f(a): return a", "def f(a): return a"),
    "a base class": ("class A(B): pass", "class A(C): pass"),
    "an attribute of a class": ("class A:\n x = 1", "class A:\n y = 1"),
    "a field's annotation": ("class A:\n x: int = 1", "class A:\n x: str = 1"),
    "an annotation that a decorator reads": (
        "@g.register\ndef f(a: int): return a",
        "@g.register\ndef f(a: str): return a",
    ),
    "a captured name": (
        "def f(a):\n match a:\n  case [x, y]: return x",
        "def f(a):\n match a:\n  case [x, y]: return y",
    ),
}


@pytest.mark.parametrize("case", ALIKE)
def test_code_that_looks_alike_and_is_not_has_another_form(case):
    """A difference that Python sees is a difference of the form."""
    left, right = ALIKE[case]
    assert digest(left) != digest(right)
    assert digest(left) == digest(ast.unparse(ast.parse(left)))


def test_names_of_parameters_count_where_a_keyword_reaches_them():
    """A parameter is a local variable until some call passes it by name."""
    left, right = (canonical(ast.parse(f"def f(a, {name}): return a - {name}").body) for name in "bc")
    assert left.digest(NOTHING) == right.digest(NOTHING)
    assert left.digest(frozenset({"b"})) != right.digest(frozenset({"b"}))
    assert left.digest(NOTHING, every_keyword=True) != right.digest(NOTHING, every_keyword=True)


def test_code_that_reads_local_names_counts_by_them():
    """``locals()`` makes the names of locals values."""
    code = "def f(a): return locals()"
    form = canonical(ast.parse(code).body)
    assert form.opaque
    assert digest(code, exact_names=True) != digest(
        code.replace("a", "b", 1).replace("(a)", "(b)"), exact_names=True
    )


@pytest.mark.parametrize(
    "code",
    [
        "eval('x')",
        "exec('x')",
        "globals()",
        "locals()",
        "vars()",
        "getattr(a, b)",
        "sys.modules['x']",
        "__import__(x)",
        "map(getattr, a)",
        "importlib.import_module(x)",
        "pkgutil.iter_modules()",
    ],
)
def test_what_cannot_be_followed_is_opaque(code):
    """Reads that are computed while the code runs make the whole module count."""
    assert canonical(ast.parse(f"def f(a, b, x): return {code}").body).opaque


@pytest.mark.parametrize(
    "code",
    [
        "getattr(a, 'b')",
        "importlib.import_module('lib.rates')",
        "importlib.metadata.version('polars')",
        "a.globals()",
    ],
)
def test_what_can_be_followed_is_not_opaque(code):
    """A constant name is followed like any other."""
    assert not canonical(ast.parse(f"def f(a): return {code}").body).opaque
