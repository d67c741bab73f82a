"""Labels that name several classes of a row: lists of text, integers or booleans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import polars as pl

from featurestore.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LabelClass: TypeAlias = bool | int | str
_TEXT: Final = "__text"
_CLASSES: Final = (pl.Boolean, pl.String)


def may_have_classes(dtype: pl.DataType) -> bool:
    """Return whether a label of a dtype can name one class: text, booleans or integers."""
    return isinstance(dtype, _CLASSES) or dtype.is_integer()


def is_multi_label(dtype: pl.DataType) -> bool:
    """Return whether a label of a dtype names several classes: lists of what can be a class."""
    return isinstance(dtype, pl.List) and may_have_classes(pl.Series(dtype=dtype.inner).dtype)


def each_class(label: pl.Series) -> pl.Series:
    """Return every class of every row, each once a row; of a label of one class, the label."""
    if not is_multi_label(label.dtype):
        return label
    return label.list.unique(maintain_order=True).explode(empty_as_null=False).drop_nulls()


def combinations(label: pl.Series) -> pl.Series:
    """Return the text of each combination of classes, in their own order; of a label of one class, the label."""
    if not is_multi_label(label.dtype):
        return label
    ordered = label.list.unique().list.sort().to_frame()
    each = ordered.unique(maintain_order=True).drop_nulls()
    texts = pl.Series(_TEXT, [f"{classes.to_list()}" for classes in each.to_series()], dtype=pl.String)
    joined = ordered.join(each.with_columns(texts), on=label.name, how="left", maintain_order="left")
    return joined[_TEXT].alias(label.name)


def indicators(label: pl.Series, classes: Sequence[LabelClass]) -> list[pl.Series]:
    """Return for each class which rows have it; null for a row without a label."""
    return [label.list.contains(value) for value in classes]


def pinned_classes(label: pl.Series, is_train: pl.Series, *, where: str) -> tuple[LabelClass, ...]:
    """Return the classes of train of a label of several classes in their own order; of another label, none.

    Parameters
    ----------
    is_train
        Which rows are of train.
    where
        What has the label, for messages.

    Raises
    ------
    ContractError
        If no row of train has a class, or a class of any row is null.
    """
    if not is_multi_label(label.dtype):
        return ()
    if nulls := int((label.list.len() > label.list.drop_nulls().list.len()).sum()):
        raise ContractError(
            f"{where}: {nulls:,} rows have a null among the classes of {label.name!r}; expected the names of classes",
            hint="leave nulls out of the lists; an empty list has no class, and a null list has no label",
        )
    classes = tuple(each_class(label.filter(is_train)).unique().sort())
    if not classes:
        raise ContractError(
            f"{where}: no row of train has a class in {label.name!r}",
            hint="check the function of the training set",
        )
    return classes


def multi_hot(label: pl.Series, classes: Sequence[LabelClass], *, where: str) -> NDArray[np.uint8]:
    """Return a matrix with a column for each class: 1 where the row has it.

    Raises
    ------
    ContractError
        If a row has no label.
    """
    if missing := label.null_count():
        raise ContractError(
            f"{where}: {missing:,} rows have no label, which a matrix of classes cannot say",
            hint="leave these rows out in the function of the training set; an empty list has no class",
        )
    matrix = np.empty((label.len(), len(classes)), dtype=np.uint8)
    for position, column in enumerate(indicators(label, classes)):
        matrix[:, position] = column.to_numpy()
    return matrix
