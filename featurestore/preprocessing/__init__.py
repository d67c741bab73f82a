"""Steps that are fitted to the rows of train of a service, and applied as expressions offline and online.

Declared beside a feature service: ``steps=[preprocessing.impute("mean", columns=["amount"])]``.

A step learns a state of each of its columns (`state`). The state makes expressions: Polars runs them over millions of
rows, and `featurestore.expressions` compiles them for one row.
"""

from featurestore.preprocessing.categories import frequency, multi_hot, one_hot, ordinal
from featurestore.preprocessing.dates import cycle
from featurestore.preprocessing.discretize import discretize
from featurestore.preprocessing.embedding import embedding
from featurestore.preprocessing.hashing import hashing
from featurestore.preprocessing.impute import impute
from featurestore.preprocessing.numbers import clip, scale
from featurestore.preprocessing.predict import impute_predicted
from featurestore.preprocessing.selectors import booleans, numeric, strings, timestamps
from featurestore.preprocessing.stack import stack
from featurestore.preprocessing.target import target
from featurestore.preprocessing.words import bag_of_words, tf_idf

__all__ = [
    "bag_of_words",
    "booleans",
    "clip",
    "cycle",
    "discretize",
    "embedding",
    "frequency",
    "hashing",
    "impute",
    "impute_predicted",
    "multi_hot",
    "numeric",
    "one_hot",
    "ordinal",
    "scale",
    "stack",
    "strings",
    "target",
    "tf_idf",
    "timestamps",
]
