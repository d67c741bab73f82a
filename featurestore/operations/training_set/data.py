"""Read a training set as what a model takes: frames, arrays, and batches that are streamed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import polars as pl

from featurestore.errors import ConfigError, ContractError, UnknownNameError, package_needed_by
from featurestore.labels.classes import LabelClass, is_multi_label, multi_hot
from featurestore.operations.training_set.manifest import TrainingManifest
from featurestore.splits.declare import SPLIT
from featurestore.splits.sample import WEIGHT
from featurestore.storage.files import ROW_GROUP_ROWS, read_record, require_parquet
from featurestore.storage.made_by import require_made_by
from featurestore.storage.parquet import scan_files
from featurestore.values.arguments import integer_of, names_of
from featurestore.values.matrix import matrix_of
from featurestore.values.stable_hash import stable_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from featurestore.adapters.sklearn import FeatureMatrix
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.workspace import Workspace

# Row groups whose rows are mixed: half a million rows of a training set are in memory at once.
POOL_GROUPS: Final = 4
_NO_BLOCKS: Final[Mapping[str, slice]] = {}


class Arrays(NamedTuple):
    """Rows of a training set as arrays.

    Attributes
    ----------
    X
        Features, one column each, in the order of `names`. A missing value is NaN.
    y
        Labels, in their own dtype. Of a label of several classes: a matrix of UInt8, a column for each of `classes`.
    names
        Names of the features.
    split
        The split of each row. None: the training set declares none.
    weight
        How many rows each row stands for. None: the training set declares no sample.
    blocks
        The columns of `X` of each named block (`preprocessing.stack`), as slices. Empty: there are no blocks, or some features
        were named to read.
    classes
        The classes of a label that names several of a row, in the order of the columns of `y`. Empty: it names one.
    """

    X: NDArray[np.float64]
    y: NDArray[Any]
    names: tuple[str, ...]
    split: NDArray[Any] | None = None
    weight: NDArray[np.float64] | None = None
    blocks: Mapping[str, slice] = _NO_BLOCKS
    classes: tuple[LabelClass, ...] = ()


@dataclass(frozen=True)
class TrainingData:
    """A training set on disk, to read as frames or arrays. Made by `Project.read_training_set`.

    Attributes
    ----------
    name
        The training set.
    path
        Its file.
    features
        The features to read, in the order of the model's vector.
    label
        The column of labels.
    splits
        Names of its splits. Empty: it declares none.
    blocks
        Where each named block of the vector is, in order. Empty: there are no blocks, or `features` were named.
    classes
        The classes of a label that names several of a row, in their pinned order. Empty: it names one.
    """

    name: str
    path: Path
    features: tuple[str, ...]
    label: str
    splits: tuple[str, ...]
    blocks: Mapping[str, slice] = field(default_factory=dict)
    classes: tuple[LabelClass, ...] = ()

    def polars(self, split: str | None = None) -> pl.DataFrame:
        """Read all columns of a split, or of all rows, as a Polars frame.

        Raises
        ------
        UnknownNameError
            If there is no such split.
        """
        return self._scan(split).collect()

    def arrow(self, split: str | None = None) -> pa.Table:
        """Read all columns as an Arrow table. Errors as of `polars`, and `MissingPackageError` without pyarrow."""
        with package_needed_by("an Arrow table"):
            return self.polars(split).to_arrow()

    def pandas(self, split: str | None = None) -> Any:
        """Read all columns as a pandas frame. Errors as of `polars`, and `MissingPackageError` without pandas."""
        with package_needed_by("a pandas frame"):
            return self.polars(split).to_pandas()

    def numpy(self, split: str | None = None) -> Arrays:
        """Read features and labels as arrays.

        Raises
        ------
        UnknownNameError
            If there is no such split.
        ContractError
            If a feature holds no numbers, or an integer that a float cannot hold exactly; or a row of several classes has no
            label.
        """
        return self._arrays(self.polars(split))

    def batches(self, size: int, split: str | None = None, *, seed: int | None = None) -> Iterator[Arrays]:
        """Read features and labels in batches, with half a million rows in memory at most. Each row comes once.

        Parameters
        ----------
        size
            Rows of a batch; the last one may have fewer.
        seed
            Shuffles the row groups of the file, and the rows of four row groups at a time. Take another one for each epoch.
            None: the rows stay in order.

        Raises
        ------
        ConfigError
            If `size` is not an integer of at least 1, or `seed` is not an integer.
        UnknownNameError, ContractError
            As of `numpy`.
        """
        size = integer_of("size", size, smallest=1, example="size=1024", error=ConfigError)
        if seed is not None:
            seed = integer_of("seed", seed, example="seed=1", error=ConfigError)
        self._scan(split)
        return self._batched(size, split, seed)

    def tensors(
        self, size: int, split: str | None = None, *, seed: int | None = None
    ) -> Iterator[tuple[Any, Any]]:
        """Read batches as pairs of PyTorch tensors: features and labels. Parameters and errors as of `batches`.

        Raises
        ------
        MissingPackageError
            If PyTorch is not installed.
        ContractError
            If labels are text, which has no tensor.
        """
        with package_needed_by("tensors", extra="torch"):
            import torch  # noqa: PLC0415 - only tensors need it

        batches = self.batches(size, split, seed=seed)
        schema = scan_files(self.path).collect_schema()
        if isinstance(schema[self.label], pl.String):
            raise ContractError(
                f"training set {self.name!r}: the label {self.label!r} is text, which has no tensor",
                hint="encode the classes as integers",
            )
        return ((torch.from_numpy(batch.X), torch.from_numpy(batch.y)) for batch in batches)

    def transformer(self) -> FeatureMatrix:
        """Return a transformer for a scikit-learn `Pipeline`: frames with the features in, the matrix of a model out.

        Raises
        ------
        MissingPackageError
            If scikit-learn is not installed.
        """
        with package_needed_by("a transformer", extra="sklearn"):
            from featurestore.adapters.sklearn import FeatureMatrix  # noqa: PLC0415 - only a transformer needs it

        return FeatureMatrix(self.features)

    def _scan(self, split: str | None) -> pl.LazyFrame:
        rows = scan_files(self.path)
        if split is None:
            return rows
        if split not in self.splits:
            raise UnknownNameError("split", split, self.splits, within=f"training set {self.name!r}")
        return rows.filter(pl.col(SPLIT) == split)

    def _arrays(self, rows: pl.DataFrame) -> Arrays:
        return Arrays(
            X=matrix_of(rows, self.features),
            # A copy: a model may write to its arrays.
            y=multi_hot(rows[self.label], self.classes, where=f"training set {self.name!r}")
            if self.classes
            else rows[self.label].to_numpy(writable=True),
            names=self.features,
            split=rows[SPLIT].to_numpy() if SPLIT in rows else None,
            weight=rows[WEIGHT].to_numpy(writable=True) if WEIGHT in rows else None,
            blocks=self.blocks,
            classes=self.classes,
        )

    def _batched(self, size: int, split: str | None, seed: int | None) -> Iterator[Arrays]:
        waiting: pl.DataFrame | None = None
        for pool in self._pools(split, seed):
            rows = pool if waiting is None else pl.concat([waiting, pool])
            whole_rows = rows.height - rows.height % size
            for start in range(0, whole_rows, size):
                yield self._arrays(rows[start : start + size])
            waiting = rows[whole_rows:]
        if waiting is not None and waiting.height:
            yield self._arrays(waiting)

    def _pools(self, split: str | None, seed: int | None) -> Iterator[pl.DataFrame]:
        """Read some row groups at a time; with a seed, in an order and with rows in an order that it decides."""
        scan = scan_files(self.path)
        names = scan.collect_schema().names()
        columns = [name for name in (*self.features, self.label, SPLIT, WEIGHT) if name in names]
        height = scan.select(pl.len()).collect().item()
        starts = np.arange(0, height, ROW_GROUP_ROWS)
        groups = starts[_shuffle(starts, seed)]
        for first in range(0, len(groups), POOL_GROUPS):
            pool = groups[first : first + POOL_GROUPS]
            parts = [scan.select(columns).slice(int(start), ROW_GROUP_ROWS) for start in pool]
            rows = pl.concat(parts).collect()
            numbers = [np.arange(start, min(start + ROW_GROUP_ROWS, height)) for start in pool]
            shuffled = rows[_shuffle(np.concatenate(numbers), seed)]
            yield shuffled if split is None else shuffled.filter(pl.col(SPLIT) == split)


def read_training_set(
    workspace: Workspace, name: str, *, features: Sequence[str] | None = None
) -> TrainingData:
    """Open a training set, to read it as frames, arrays or batches: with the fitted vectors, if its service has steps.

    Parameters
    ----------
    features
        The features to read, in this order. None: all of its service.

    Raises
    ------
    MissingDataError
        If the training set is not built yet.
    SkewError
        If another definition of it made the rows, or fitted the steps of its service.
    ConfigError
        If `features` is empty, or names a feature twice.
    UnknownNameError
        If a feature is not of the service.
    """
    if features is not None:
        features = names_of(
            "features", features, what="features", example='features=["amount"]', error=ConfigError
        )
    training = workspace.catalog.training_set(name)
    service = workspace.fitted(training.service)
    layout = workspace.layout
    rows = layout.training(name) if service.fitted is None else layout.fitted_training(name)
    path = require_parquet(rows, made_by=f"featurestore training-set {name}")
    require_made_by(training, path)
    known = service.feature_names
    for feature in features or ():
        if feature not in known:
            raise UnknownNameError("feature", feature, known, within=f"service {training.service.name!r}")
    return TrainingData(
        name=name,
        path=path,
        features=known if features is None else features,
        label=training.label,
        splits=training.split[0].names if training.split else (),
        classes=_classes(workspace, training),
        blocks=service.fitted.blocks if service.fitted is not None and features is None else {},
    )


def _classes(workspace: Workspace, training: TrainingSet) -> tuple[LabelClass, ...]:
    """Return the pinned classes of a label that names several of a row; of another label, none."""
    if not is_multi_label(training.contract[training.label].dtype):
        return ()
    path = workspace.layout.training_manifest(training.name)
    command = f"featurestore training-set {training.name}"
    return read_record(path, TrainingManifest, made_by=command).classes


def _shuffle(numbers: NDArray[np.int64], seed: int | None) -> NDArray[np.int64]:
    """Return the positions of numbers in an order that the seed decides; None: as they are."""
    if seed is None:
        return np.arange(len(numbers))
    return np.argsort(stable_hash([pl.Series(numbers)], seed), kind="stable")
