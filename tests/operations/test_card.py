"""The data card of a training set: facts from records, texts from people, and nothing is left empty."""

import json
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec

import pytest
from runner import run
from servers import skip_or_fail
from shop import FILES

import featurestore
from featurestore.errors import DefinitionError, MissingDataError

TERMS = {
    "licence": "CC-BY-4.0",
    "permitted_use": "forecasts <of> orders",
    "limits": "no visits | without orders & baskets",
    "url": "https://shop.example/visits",
}
POLICY = '"tolerance": 0.5'
SPLIT = 'split=random_split(test=0.4, seed=2, by="customer"), sample=oversample(seed=1)'
BOUGHT = "pl.col('order') // 9 % 3 == 0"
# Each row has the class "a", and every third one "b" too: a label of several classes.
KINDS = "pl.when(pl.col('order') // 9 % 3 == 0).then(pl.lit(['a', 'b'])).otherwise(pl.lit(['a']))"


def documented(
    shop, terms: dict = TERMS, licence: str = "CC0-1.0", steps: str = "", label: str = BOUGHT
) -> featurestore.Project:
    """Give the shop 40 orders, and declare the texts of its schemas; split and sample the visits."""
    root = shop.settings.root
    assert POLICY in FILES["schemas/shop.py"]
    schemas = FILES["schemas/shop.py"].replace(POLICY, f'{POLICY}, "licence": {licence!r}')
    if label == KINDS:
        schemas = schemas.replace("bought: pl.Boolean", "bought: pl.List(pl.String)")
    (root / "schemas/shop.py").write_text(f"{schemas}\n    class Config:\n        metadata = {terms!r}\n")
    definitions = FILES["feature_repo/shop.py"].replace(
        "source, training_set", "source, training_set, random_split, oversample"
    )
    definitions = definitions.replace(
        'label="bought"', f'label="bought", {SPLIT if label == BOUGHT else SPLIT.partition(", sample")[0]}'
    )
    definitions = definitions.replace("bought=pl.lit(True)", f"bought={label}")
    definitions = definitions.replace(
        '(last_order, compared), owner="shop"', f'(last_order, compared), owner="shop"{steps}'
    )
    (root / "feature_repo/shop.py").write_text(
        definitions.replace("    Entity,", "    preprocessing, Entity,", 1)
    )
    lines = [f"{n},{n % 9},2024-01-0{n // 24 + 1}T{n % 24:02}:00:00Z,,{n}.5," for n in range(40)]
    (root / "data/raw/orders.csv").write_text(
        "\n".join(["order,customer,ordered_at,loaded_at,amount,coupon", *lines, ""])
    )
    project = featurestore.open(root)
    project.validate("orders")
    project.build("last_order")
    project.training_set("visits")
    return project


@pytest.fixture(scope="module")
def carded(template_shop, tmp_path_factory):
    """A documented shop with its card."""
    project = featurestore.open(shutil.copytree(template_shop, tmp_path_factory.mktemp("card") / "shop"))
    project = documented(project)
    return project, project.card("visits")


class Cells(HTMLParser):
    """Collects the text of a page, and its tags."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, _attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def test_a_card_holds_texts_and_facts(carded):
    """Markdown and HTML hold what the schema declares, the splits, the sample, the exclusions and the digests."""
    project, files = carded
    manifest = project.training_manifest("visits")
    page = Cells(files.html.read_text())
    text = files.markdown.read_text()
    test = manifest.splits["test"]
    for fact in (
        manifest.digest,
        test.digest,
        f"{manifest.rows:,}",
        "CC0-1.0",
        "CC-BY-4.0",
        "An hour before each order.",
    ):
        assert fact in page.texts
        assert fact in text
    assert "no visits | without orders & baskets" in page.texts
    assert "no visits | without orders &amp; baskets" in text
    assert "| orders | customer.greater_than_or_equal_to(1) | 5 |" in text
    assert f"{manifest.sampled.repeated:,} repeated." in text
    assert "script" not in page.tags
    assert "of" not in page.tags


def test_the_croissant_describes_file_columns_and_splits(carded):
    """It has the required keys of Croissant 1.1, and file, columns and splits are those of the training set."""
    project, files = carded
    content = json.loads(files.croissant.read_text())
    assert content["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    required = {"@context", "@type", "name", "description", "license", "url", "creator", "datePublished"}
    assert required <= content.keys()
    [file] = content["distribution"]
    path = files.croissant.parent / file["contentUrl"]
    assert path.resolve() == project.layout.training("visits").resolve()
    assert file["contentSize"] == f"{path.stat().st_size} B"
    splits, rows = content["recordSet"]
    assert splits["data"] == [{"splits/name": "train"}, {"splits/name": "test"}]
    fields = {field["name"]: field for field in rows["field"]}
    assert list(fields) == list(project.training_manifest("visits").columns)
    assert fields["split"]["references"] == {"field": {"@id": "splits/name"}}
    assert {
        name: fields[name]["dataType"]
        for name in ("customer", "basket", "bought", "event_timestamp", "coupon")
    } == {
        "customer": "sc:Integer",
        "basket": "sc:Float",
        "bought": "sc:Boolean",
        "event_timestamp": "sc:DateTime",
        "coupon": "sc:Text",
    }


READ_CROISSANT = """
import json, sys
import mlcroissant

dataset = mlcroissant.Dataset(sys.argv[1])
print(json.dumps([list(dataset.metadata.ctx.issues.errors), len(list(dataset.records("rows")))]))
"""


def test_the_croissant_is_valid(carded):
    """MLCommons' own library finds no error, and reads the rows.

    In a process of its own: its logging (absl) keeps the error stream of this test, and closes it when another test
    configures logging.
    """
    if find_spec("mlcroissant") is None:
        skip_or_fail("mlcroissant is not installed (run: make croissant)")
    project, files = carded
    command = [sys.executable, "-c", READ_CROISSANT, str(files.croissant)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[], project.training_manifest("visits").rows]


def test_a_text_that_only_a_person_can_write(shop):
    """Every empty text is named, with its schema; the command exits with 3 and writes no card."""
    project = documented(shop, {**TERMS, "limits": " ", "url": ""}, licence="")
    with pytest.raises(
        DefinitionError,
        match=r"(?s)3 texts .* are empty: limits in schema Visits, url in .*, licence in schema Raw.*"
        r"hint: write metadata = \{'licence': '.*', 'limits': '.*', 'url': '.*'\} in the class Config",
    ):
        project.card("visits")
    done = run("card", "visits", cwd=project.settings.root)
    assert done.returncode == 3
    assert not project.layout.card("visits").exists()
    project = documented(project)
    done = run("card", "visits", cwd=project.settings.root)
    assert done.stdout.split() == [
        str(project.layout.card("visits").with_suffix(suffix))
        for suffix in (".html", ".md", ".croissant.json")
    ]


def test_a_label_of_several_classes(shop):
    """Each class has its count and share, which add up to more than all rows; catalogues read a list of text."""
    project = documented(shop, label=KINDS)
    files = project.card("visits")
    manifest = project.training_manifest("visits")
    text = files.markdown.read_text()
    page = Cells(files.html.read_text()).texts
    many = manifest.labels["b"]
    fields = {
        field["name"]: field for field in json.loads(files.croissant.read_text())["recordSet"][1]["field"]
    }

    assert manifest.labels == {"a": manifest.rows, "b": many}
    assert "A row may have several classes, or none." in text
    assert f"| a | {manifest.rows} | 100.0% |\n| b | {many} | {many / manifest.rows:.1%} |" in text
    at = page.index("b")
    assert [cell for cell in page[at : at + 6] if cell.strip()][:3] == [
        "b",
        f"{many}",
        f"{many / manifest.rows:.1%}",
    ]
    assert f"a 100.0%, b {manifest.splits['test'].labels['b'] / manifest.splits['test'].rows:.1%}" in text
    assert {name: fields["bought"][name] for name in ("dataType", "isArray", "arrayShape")} == {
        "dataType": "sc:Text",
        "isArray": True,
        "arrayShape": "-1",
    }


def test_fitted_steps_are_named(shop):
    """Steps in their order, the rows that they were fitted to, and the digest of the state."""
    steps = ', steps=[preprocessing.impute("mean", columns=["amount", "ratio"])]'
    project = documented(shop, steps=steps)
    text = project.card("visits").markdown.read_text()
    state = project.service("buying").fitted
    assert (
        f"Fitted to {state.certificate.rows} rows of training set visits, split train: {state.certificate.digest}."
        in text
    )
    assert f"Digest of the fitted state: {state.digest}." in text
    assert "| amount, ratio |" in text


def test_the_command_prints_json(carded):
    """The paths of the three files, by format."""
    project, files = carded
    done = run("card", "visits", "--json", cwd=project.settings.root)
    assert json.loads(done.stdout) == {
        "html": str(files.html),
        "markdown": str(files.markdown),
        "croissant": str(files.croissant),
    }


def test_the_record_is_of_the_set_in_place(shop):
    """A set that DVC restored has no record of its own build: the card names the command."""
    project = documented(shop)
    manifest = project.layout.training_manifest("visits")
    manifest.write_text(manifest.read_text().replace('"rows": ', '"rows": 1'))
    with pytest.raises(MissingDataError, match=r"is the record of another build.*\n.*training-set visits"):
        project.card("visits")


def test_a_training_set_that_is_not_built(shared_shop):
    """The command to run is named."""
    with pytest.raises(MissingDataError, match="run: featurestore training-set visits"):
        shared_shop.card("visits")
