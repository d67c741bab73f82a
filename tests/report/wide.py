"""A dataset with very many columns, whose values changed between two deliveries."""

import polars as pl

import featurestore
from featurestore.operations.init.init import init

COLUMNS = 300
SCHEMA = "import pandera.polars as pa\nimport polars as pl\n\n\nclass Wide(pa.DataFrameModel):\n" + "".join(
    [
        '    """Measurements of very many sensors."""\n\n',
        *(
            f'    sensor_number_{i:03}: pl.Float64 = pa.Field(nullable=True, ge=-100, description="what sensor {i} of the'
            ' second hall measured in a minute", metadata={"unit": "mV"})\n'
            for i in range(COLUMNS)
        ),
        '\n    class Config:\n        metadata = {"on_invalid": "quarantine", "tolerance": 0.5}\n',
    ]
)
SOURCES = """from featurestore import source
from schemas.wide import Wide

wide = source("wide", Wide, "data/raw/wide.csv", owner="hall")
"""


def measurements(shift):
    """Return columns with different distributions and a few bad values."""
    row = pl.int_range(1500, eager=True)
    return pl.DataFrame(
        {f"sensor_number_{i:03}": ((row * (i + 7)) % 1499) ** 1.5 / 7 + shift for i in range(COLUMNS)}
    ).with_columns(sensor_number_250=pl.when(row % 100 == 0).then(-1000.0).otherwise("sensor_number_250"))


def build_wide(root):
    """Validate two deliveries of a dataset with three hundred columns, and report."""
    init(root)
    (root / "schemas/wide.py").write_text(SCHEMA)
    (root / "feature_repo/wide.py").write_text(SOURCES)
    project = featurestore.open(root)
    (root / "data/raw").mkdir(parents=True)
    for shift in (0.0, 3.0):
        measurements(shift).write_csv(root / "data/raw/wide.csv")
        project.validate("wide")
    project.report()
    return project
