"""The metadata of a training set in Croissant 1.1, the format of MLCommons for datasets of machine learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.splits.declare import SPLIT

if TYPE_CHECKING:
    from featurestore.report.card import Card, CardColumn

CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.1"
# The context of the specification, by which short keys stand for URLs.
CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in (
            *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field"),
            *("fileProperty", "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset"),
            *("jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
            *("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "sc": "https://schema.org/",
}
_TYPES: Final = {
    pl.Boolean: "sc:Boolean",
    pl.Date: "sc:Date",
    pl.Datetime: "sc:DateTime",
    pl.Float32: "sc:Float",
    pl.Float64: "sc:Float",
    pl.Decimal: "sc:Float",
}
_SPLITS: Final = "splits"
_ROWS: Final = "rows"


def croissant(card: Card) -> dict[str, Any]:
    """Return the metadata of a training set as JSON-LD."""
    file = card.file.rpartition("/")[2]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": card.name,
        "description": card.description,
        "license": card.licence,
        "url": card.url,
        "creator": {"@type": "sc:Organization", "name": card.owner},
        "datePublished": card.built_at.isoformat(),
        # A version of semantic versioning, which may end in the digest of the content.
        "version": f"1.0.0+{card.version.removeprefix('sha256:')}",
        "rai:dataLimitations": card.limits,
        "rai:dataUseCases": card.permitted_use,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file,
                "name": file,
                "description": "All rows, as Parquet.",
                "contentUrl": card.file,
                "contentSize": f"{card.size} B",
                "encodingFormat": "application/x-parquet",
                "sha256": card.sha256.removeprefix("sha256:"),
            }
        ],
        "recordSet": [
            *([_splits(card.splits)] if card.splits else []),
            {
                "@type": "cr:RecordSet",
                "@id": _ROWS,
                "name": _ROWS,
                "description": "One record for each row.",
                "field": [_field(column, file, bool(card.splits)) for column in card.columns],
            },
        ],
    }


def _splits(names: tuple[str, ...]) -> dict[str, Any]:
    field = f"{_SPLITS}/name"
    return {
        "@type": "cr:RecordSet",
        "@id": _SPLITS,
        "name": _SPLITS,
        "description": "The parts of the training set.",
        "dataType": "cr:Split",
        "key": {"@id": field},
        "field": [
            {
                "@type": "cr:Field",
                "@id": field,
                "name": "name",
                "description": "Name of the part.",
                "dataType": "sc:Text",
            }
        ],
        "data": [{field: name} for name in names],
    }


def _field(column: CardColumn, file: str, has_splits: bool) -> dict[str, Any]:  # noqa: FBT001 - private
    dtype = column.dtype
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{_ROWS}/{column.name}",
        "name": column.name,
        "description": column.description,
        "dataType": _type(dtype),
        "source": {"fileObject": {"@id": file}, "extract": {"column": column.name}},
    }
    if isinstance(dtype, pl.List):
        field |= {"isArray": True, "arrayShape": "-1"}
    elif isinstance(dtype, pl.Array):
        field |= {"isArray": True, "arrayShape": ", ".join(map(str, dtype.shape))}
    if column.name == SPLIT and has_splits:
        field["references"] = {"field": {"@id": f"{_SPLITS}/name"}}
    return field


def _type(dtype: Any) -> str:
    while isinstance(dtype, pl.List | pl.Array):
        dtype = dtype.inner
    if dtype.is_integer():
        return "sc:Integer"
    return next((name for kind, name in _TYPES.items() if isinstance(dtype, kind)), "sc:Text")
