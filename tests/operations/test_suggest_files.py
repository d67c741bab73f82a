"""`suggest` reads files, patterns and folders as `add` does, and its code holds what was given as data only."""

import ast

import pytest
from shop import ORDERS

import featurestore
from featurestore.errors import MissingDataError, UnknownNameError

DAY = "visit,day,weight\n" + "".join(f"{n},{n % 28 + 1:02d}.01.2024,{50 + n % 9}\n" for n in range(90))


def test_a_draft_of_files_is_the_one_that_add_writes(shop, tmp_path):
    """A file, a pattern and a folder have the same draft as a source that is added, and nothing is kept."""
    folder = tmp_path / "weighings"
    folder.mkdir()
    for n in (1, 2):
        (folder / f"{n}.csv").write_text(DAY.replace(",55", ",."))
    before = sorted(shop.settings.root.rglob("*"))
    drafts = {
        shop.quality.suggest(str(target), name="RawWeighings")
        for target in (folder, folder / "*.csv", folder / "?.csv")
    }
    assert sorted(shop.settings.root.rglob("*")) == before
    [draft] = drafts
    assert draft.endswith('\n\n# The source of these rows needs null_values=["."]\n')
    assert '"format": "%d.%m.%Y"' in draft
    shop.add(str(folder), owner="clinic")
    written = (shop.settings.root / "schemas/weighings.py").read_text()
    assert draft.removesuffix('\n\n# The source of these rows needs null_values=["."]\n') == written


def test_the_null_words_of_a_source_are_read_as_it_declares_them(shop_files):
    """A word that the source declares is missing, also one that nobody else would know."""
    definitions = shop_files / "feature_repo/shop.py"
    definitions.write_text(
        definitions.read_text().replace(
            'orders.csv", owner="shop"', 'orders.csv", owner="shop", null_values=("gone",)'
        )
    )
    (shop_files / "data/raw/orders.csv").write_text(ORDERS.replace("20.1", "gone"))
    draft = featurestore.open(shop_files).quality.suggest("data/raw/orders.csv")
    assert "class Orders(" in draft
    assert "amount: pl.Float64" in draft
    assert draft.endswith('null_values=["gone"]\n')


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ('x"""; 1 + 0; """.csv', "X10"),
        ("two words.csv", "TwoWords"),
        ("2024-01.csv", "Source202401"),
        ("class.csv", "SourceClass"),
        ("\u202egnirts.csv", "Gnirts"),
    ],
    ids=ascii,
)
def test_the_name_of_a_file_is_no_code(shared_shop, tmp_path, file, name):
    """The draft of a file with a hostile name is one class, with a name made of its letters."""
    (tmp_path / file).write_text("a\n1\n")
    tree = ast.parse(shared_shop.quality.suggest(str(tmp_path / file)))
    assert [type(node) for node in tree.body] == [ast.Expr, ast.Import, ast.Import, ast.ClassDef]
    assert tree.body[-1].name == name


def test_what_cannot_be_suggested_is_named(shared_shop, tmp_path):
    """A file that is missing, and a name that nothing has."""
    with pytest.raises(MissingDataError, match="no such file"):
        shared_shop.quality.suggest(str(tmp_path / "nowhere/*.csv"))
    with pytest.raises(UnknownNameError, match="'nowhere'"):
        shared_shop.quality.suggest("nowhere")
