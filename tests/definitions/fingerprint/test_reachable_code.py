"""Where the closure of code leads: every way in which Python code reaches other code of the project."""

import pytest
from grown_shop import changed

HELPER, RATES, INIT = "feature_repo/helper.py", "lib/rates.py", "feature_repo/__init__.py"
POLARS = "import polars as pl\n"


def helper(body: str, **others: str) -> dict[str, str]:
    """Write the helper module that the dataset ``orders`` calls, and other files: ``lib__more`` is lib/more.py."""
    paths = {name.replace("__", "/").replace("/init/", "__init__"): text for name, text in others.items()}
    return {HELPER: f"{POLARS}{body}\n", **{f"{path}.py": text for path, text in paths.items()}}


# A way of reaching code: the state before, what is replaced, and a part of the text of the difference.
WAYS = {
    "a module by another name": (
        helper(
            "import lib.rates as z\ndef scaled(v): return z.converted(v)",
            lib__rates="def converted(v): return v * 2",
        ),
        ("v * 2", "v * 3"),
        "body of converted changed (lib/rates.py)",
    ),
    "a dotted module": (
        helper(
            "import lib.rates\ndef scaled(v): return lib.rates.converted(v)",
            lib__rates="def converted(v): return v * 2",
        ),
        ("v * 2", "v * 3"),
        "body of converted changed (lib/rates.py)",
    ),
    "a relative module": (
        helper(
            "from . import more\ndef scaled(v): return more.f(v)", feature_repo__more="def f(v): return v * 2"
        ),
        ("v * 2", "v * 3"),
        "body of f changed (feature_repo/more.py)",
    ),
    "a relative module's constant": (
        helper("from . import more\ndef scaled(v): return v * more.F", feature_repo__more="F = 2"),
        ("F = 2", "F = 3"),
        "constant F 2 -> 3 in feature_repo/more.py",
    ),
    "a name under another name": (
        helper(
            "from .more import f as g\ndef scaled(v): return g(v)",
            feature_repo__more="def f(v): return v * 2",
        ),
        ("v * 2", "v * 3"),
        "body of f changed (feature_repo/more.py)",
    ),
    "a package's __init__.py": (
        {**helper("import feature_repo\ndef scaled(v): return v * feature_repo.F"), INIT: "F = 2\n"},
        ("F = 2", "F = 3"),
        "constant F 2 -> 3 in feature_repo/__init__.py",
    ),
    "a name that __init__.py passes on": (
        helper(
            "from lib.inner import f\ndef scaled(v): return f(v)",
            lib__inner____init__="from .deep import f\n",
            lib__inner__deep="def f(v): return v * 2",
        ),
        ("v * 2", "v * 3"),
        "body of f changed (lib/inner/deep.py)",
    ),
    "a star import": (
        helper(
            "from .more import *\ndef scaled(v): return f(v) * F",
            feature_repo__more="F = 1\ndef f(v): return v * 2",
        ),
        ("F = 1", "F = 7"),
        "constant F 1 -> 7 in feature_repo/more.py",
    ),
    "an import inside a function": (
        helper(
            "def scaled(v):\n    from .more import f\n    return f(v)",
            feature_repo__more="F = 2\ndef f(v): return v * F",
        ),
        ("F = 2", "F = 3"),
        "constant F 2 -> 3 in feature_repo/more.py",
    ),
    "a module imported inside a function": (
        helper(
            "def scaled(v):\n    from . import more\n    return more.f(v)",
            feature_repo__more="def f(v): return v * 2",
        ),
        ("v * 2", "v * 3"),
        "body of f changed (feature_repo/more.py)",
    ),
    "importlib with a constant name": (
        helper(
            "import importlib\ndef scaled(v): return importlib.import_module('lib.more').f(v)",
            lib__more="def f(v): return v * 2",
        ),
        ("v * 2", "v * 3"),
        "the whole module changed (lib/more.py)",
    ),
    "importlib with a computed name": (
        helper(
            "import importlib\ndef scaled(v): return importlib.import_module('lib.' + 'mo' + 're').f(v)",
            lib__more="def f(v): return v * 2",
        ),
        ("v * 2", "v * 3"),
        "the whole module changed (lib/more.py)",
    ),
    "getattr with a constant name": (
        helper(
            "from . import more\ndef scaled(v): return getattr(more, 'f')(v)",
            feature_repo__more="def f(v): return v * 2",
        ),
        ("v * 2", "v * 3"),
        "body of f changed (feature_repo/more.py)",
    ),
    "getattr with a computed name": (
        helper(
            "from . import more\ndef scaled(v): return getattr(more, 'f' + '')(v)",
            feature_repo__more="def f(v): return v * 2",
        ),
        ("v * 2", "v * 3"),
        "the whole module changed (feature_repo/more.py)",
    ),
    "globals()": (
        helper("def f(v): return v * 2\ndef scaled(v): return globals()['f'](v)"),
        ("v * 2", "v * 3"),
        "the whole module changed (feature_repo/helper.py)",
    ),
    "eval": (
        helper("F = 2\ndef scaled(v): return v * eval('F')"),
        ("F = 2", "F = 3"),
        "the whole module changed (feature_repo/helper.py)",
    ),
    "what a whole module reads elsewhere": (
        helper("from .more import F\ndef scaled(v): return v * eval('F')\nG = F", feature_repo__more="F = 2"),
        ("F = 2", "F = 3"),
        "constant F 2 -> 3 in feature_repo/more.py",
    ),
    "a decorator of the project's own": (
        helper(
            "import functools\ndef doubled(f):\n    @functools.wraps(f)\n    def inner(v): return f(v) * 2\n    return inner\n"
            "@doubled\ndef scaled(v): return v"
        ),
        ("* 2", "* 3"),
        "body of doubled",
    ),
    "a decorated function": (
        helper(
            "import functools\ndef doubled(f):\n    @functools.wraps(f)\n    def inner(v): return f(v)\n    return inner\n"
            "@doubled\ndef scaled(v): return v * 2"
        ),
        ("* 2", "* 3"),
        "body of scaled changed",
    ),
    "a cached function": (
        helper("import functools\n@functools.lru_cache\ndef f(v): return 2\ndef scaled(v): return v * f(1)"),
        ("return 2", "return 3"),
        "body of f changed",
    ),
    "a closure": (
        helper("def make(n):\n    def inner(v): return v * n\n    return inner\nscaled = make(2)"),
        ("make(2)", "make(3)"),
        "constant",
    ),
    "the code of a closure": (
        helper("def make(n):\n    def inner(v): return v * n\n    return inner\nscaled = make(2)"),
        ("v * n", "v / n"),
        "body of make",
    ),
    "a default argument": (
        helper("F = 2\ndef scaled(v, factor=F): return v * factor"),
        ("F = 2", "F = 3"),
        "constant F 2 -> 3",
    ),
    "a lambda": (
        helper("scaled = lambda v: v * 2"),
        ("* 2", "* 3"),
        "constant scaled changed",
    ),
    "a partial": (
        helper("from functools import partial\ndef f(v, n): return v * n\nscaled = partial(f, n=2)"),
        ("n=2", "n=3"),
        "constant scaled",
    ),
    "the function of a partial": (
        helper("from functools import partial\ndef f(v, n): return v * n\nscaled = partial(f, n=2)"),
        ("v * n", "v / n"),
        "body of f changed",
    ),
    "functions in a dict": (
        helper("def f(v): return v * 2\nTABLE = {'f': f}\ndef scaled(v): return TABLE['f'](v)"),
        ("v * 2", "v * 3"),
        "body of f changed",
    ),
    "lambdas in a list": (
        helper("TABLE = [lambda v: v * 2]\ndef scaled(v): return TABLE[0](v)"),
        ("v * 2", "v * 3"),
        "body of <lambda> changed",
    ),
    "functions that register themselves": (
        helper(
            "TABLE = {}\ndef register(f):\n    TABLE[f.__name__] = f\n    return f\n"
            "def scaled(v): return TABLE['f'](v)\nfrom . import more",
            feature_repo__more="from .helper import register\n@register\ndef f(v): return v * 2",
        ),
        ("v * 2", "v * 3"),
        "body of f changed (feature_repo/more.py)",
    ),
    "a class": (
        helper(
            "class Scaler:\n    def apply(self, v): return v * 2\ndef scaled(v): return Scaler().apply(v)"
        ),
        ("v * 2", "v * 3"),
        "body of Scaler changed",
    ),
    "an attribute of a class": (
        helper("class Limits:\n    F = 2\ndef scaled(v): return v * Limits.F"),
        ("F = 2", "F = 3"),
        "body of Limits changed",
    ),
    "a base class": (
        helper(
            "from .more import Base\nclass Scaler(Base):\n    pass\ndef scaled(v): return Scaler().apply(v)",
            feature_repo__more="class Base:\n    def apply(self, v): return v * 2",
        ),
        ("v * 2", "v * 3"),
        "body of Base changed (feature_repo/more.py)",
    ),
    "the class of an instance": (
        helper(
            "from dataclasses import dataclass\n@dataclass\nclass Scaler:\n    n: int\n    def apply(self, v): return v * self.n\n"
            "SCALER = Scaler(2)\ndef scaled(v): return SCALER.apply(v)"
        ),
        ("v * self.n", "v / self.n"),
        "body of Scaler changed",
    ),
    "a bound method": (
        helper(
            "class Scaler:\n    def __init__(self, n): self.n = n\n    def apply(self, v): return v * self.n\nscaled = Scaler(2).apply"
        ),
        ("Scaler(2)", "Scaler(3)"),
        "constant scaled changed",
    ),
    "the annotations of a dataclass": (
        helper(
            "from dataclasses import dataclass, fields\n@dataclass\nclass C:\n    a: int = 2\n"
            "def scaled(v): return v * len(fields(C))"
        ),
        ("a: int = 2", "a: int = 2\n    b: int = 2"),
        "body of C changed",
    ),
    "a statement whose value has no stable text": (
        helper("TABLE = pl.LazyFrame({'a': [2]})\ndef scaled(v): return v * TABLE.collect()['a'][0]"),
        ("[2]", "[3]"),
        "constant TABLE changed in feature_repo/helper.py",
    ),
    "what such a statement reads": (
        helper("N = 2\nTABLE = pl.LazyFrame({'a': [N]})\ndef scaled(v): return v * TABLE.collect()['a'][0]"),
        ("N = 2", "N = 3"),
        "constant N 2 -> 3",
    ),
    "an expression": (
        helper("RATE = pl.col('amount') * 2\ndef scaled(v): return v * RATE"),
        ("* 2", "* 3"),
        "constant RATE",
    ),
    "an expression namespace": (
        helper(
            "@pl.api.register_expr_namespace('shop_ns')\nclass Shop:\n    def __init__(self, e): self.e = e\n"
            "    def f(self): return self.e * 2\ndef scaled(v): return v.shop_ns.f()"
        ),
        ("e * 2", "e * 3"),
        "body of Shop changed",
    ),
    "what importing a module does": (
        helper(
            "def scaled(v): return v",
            feature_repo____init__="import polars as pl\npl.Config.set_fmt_str_lengths(3)\n",
        ),
        ("(3)", "(4)"),
        "what importing does changed (feature_repo/__init__.py)",
    ),
    "a definition under a condition": (
        helper(
            "import sys\nif sys.version_info > (3,):\n    def scaled(v): return v * 2\nelse:\n    def scaled(v): return v"
        ),
        ("v * 2", "v * 3"),
        "body of scaled changed",
    ),
    "a fallback of an import": (
        helper(
            "try:\n    from not_there import f\nexcept ImportError:\n    def f(v): return v * 2\ndef scaled(v): return f(v)"
        ),
        ("v * 2", "v * 3"),
        "body of f changed",
    ),
    "an enumeration": (
        helper(
            "from enum import Enum\nclass Rate(Enum):\n    A = 2\nRATE = Rate.A\ndef scaled(v): return v * RATE.value"
        ),
        ("A = 2", "A = 3"),
        "body of Rate changed",
    ),
    "names of parameters that keywords reach": (
        helper("def f(a, b): return a - b\ndef scaled(v): return f(a=v, b=1)"),
        ("def f(a, b)", "def f(b, a)"),
        "body of f changed",
    ),
    "a global that a function changes": (
        helper("N = 2\ndef set_n():\n    global N\n    N = 3\ndef scaled(v): return v * N"),
        ("N = 2", "N = 4"),
        "the whole module changed",
    ),
}


pytestmark = pytest.mark.filterwarnings("ignore:Overriding existing custom namespace")


@pytest.mark.parametrize("way", WAYS)
def test_the_closure_follows(state, way):
    """An edit of code or a value that is reached this way is caught, named, and in the files for DVC."""
    files, (old, new), text = WAYS[way]
    assert sum(old in content for content in files.values()) == 1
    before = state(files)
    after = state({name: content.replace(old, new) for name, content in files.items()})
    texts = [difference.text for difference in changed(before, after, "orders")]
    assert any(text in line for line in texts), texts
    edited = next(name for name, content in files.items() if old in content)
    assert edited in before.code_files("orders")


@pytest.mark.parametrize("way", WAYS)
def test_what_is_followed_has_the_same_digest_elsewhere(state, way):
    """Two checkouts of the same files have the same fingerprint, however code is reached."""
    files = WAYS[way][0]
    assert state(files).fingerprint("orders") == state(files).fingerprint("orders")
