"""Scikit-learn: the features of a training set as the first step of a `Pipeline`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, TransformerMixin

from featurestore.errors import ContractError
from featurestore.values.matrix import matrix_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class FeatureMatrix(TransformerMixin, BaseEstimator):
    """Takes frames of Polars, pandas or Arrow, and gives the matrix of the features in their pinned order.

    It learns nothing: what serving answers for a vector goes through the same code as the training set.

    Parameters
    ----------
    features
        Names of the features, in the order of the model's vector.
    """

    def __init__(self, features: Sequence[str]) -> None:
        self.features = features

    def fit(self, X: Any, y: Any = None) -> FeatureMatrix:  # noqa: N803, ARG002 - scikit-learn names them
        """Return the transformer unchanged."""
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:  # noqa: N803 - scikit-learn names it
        """Return the matrix of the features, without regard to other columns and their order.

        Raises
        ------
        ContractError
            If a feature is missing, or holds no numbers.
        """
        rows = X if isinstance(X, pl.DataFrame) else pl.DataFrame(X)
        if missing := [name for name in self.features if name not in rows.columns]:
            raise ContractError(
                f"the rows lack {', '.join(map(repr, missing))}",
                hint="give the features that the model was trained on",
            )
        return matrix_of(rows, self.features)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:  # noqa: ARG002 - as above
        """Return the names of the features."""
        return np.asarray(self.features, dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return True
