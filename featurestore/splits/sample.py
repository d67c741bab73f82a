"""What users declare to train on some rows: ``random_sample(share=0.1, seed=1)``, ``undersample(seed=1)`` and the like."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from featurestore.errors import DefinitionError
from featurestore.splits.declare import columns_of, seed_of
from featurestore.values.arguments import integer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

WEIGHT: Final = "weight"
IS_REPEATED: Final = "is_repeated"
_TOLERANCE: Final = 1e-9


class RandomSample(msgspec.Struct, frozen=True, tag="random"):
    """A share of the rows, chosen by chance.

    Attributes
    ----------
    share
        Share of the rows to keep.
    by
        The columns whose equal values stay together: clusters. Empty: each row has a chance of its own.
    stratify
        The share is kept in each combination of values of these columns. Empty: in all rows together.
    """

    share: float
    seed: int
    by: tuple[str, ...] = ()
    stratify: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names."""
        return (*self.by, *self.stratify)


class SystematicSample(msgspec.Struct, frozen=True, tag="systematic"):
    """One row of `every`, in the order of time, from a start that the seed decides."""

    every: int
    seed: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names."""
        return ()


class ClassSample(msgspec.Struct, frozen=True, tag="class"):
    """Rows by class of the label, in declared shares.

    Attributes
    ----------
    shares
        Share of each class, by its value as text. Empty: all classes have equal shares.
    repeats
        True: rows of rare classes are repeated. False: rows of frequent classes are left out.
    """

    shares: dict[str, float]
    seed: int
    repeats: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names."""
        return ()


SampleStrategy: TypeAlias = RandomSample | SystematicSample | ClassSample


def random_sample(
    *,
    share: float,
    seed: int,
    by: str | Sequence[str] | None = None,
    stratify: str | Sequence[str] | None = None,
) -> RandomSample:
    """Declare that train keeps a share of its rows, chosen by chance.

    Parameters
    ----------
    share
        Share of the rows, or of the clusters, that stay: above 0 and at most 1.
    by
        Columns whose equal values stay together: a cluster sample, such as all rows of one customer in ten.
    stratify
        Columns each of whose combinations of values keeps the share: a stratified sample.

    Raises
    ------
    DefinitionError
        If the share is not above 0 and at most 1, or `by` and `stratify` are both given.
    """
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise DefinitionError(
            f"random_sample: share is {share!r}; expected a number above 0 and at most 1",
            hint="example: share=0.1",
        )
    clusters, strata = columns_of("by", by), columns_of("stratify", stratify)
    if clusters and strata:
        raise DefinitionError(
            "random_sample: by and stratify are both given",
            hint="keep clusters with by, or strata with stratify",
        )
    return RandomSample(share, seed_of("random_sample", seed), clusters, strata)


def systematic_sample(*, every: int, seed: int) -> SystematicSample:
    """Declare that train keeps one row of `every`, in the order of time; the seed decides which row is the first.

    Raises
    ------
    DefinitionError
        If `every` is not an integer of at least 1.
    """
    every = integer_of("systematic_sample: every", every, smallest=1, example="every=10")
    return SystematicSample(every, seed_of("systematic_sample", seed))


def undersample(*, seed: int, shares: Mapping[object, float] | None = None) -> ClassSample:
    """Declare that train leaves out rows of frequent classes, until the classes have their shares.

    Parameters
    ----------
    shares
        Share of each class of the label, such as ``{True: 0.3, False: 0.7}``. None: equal shares.

    Raises
    ------
    DefinitionError
        If shares are not a mapping, or empty, one is not above 0, or they do not add up to 1.
    """
    return ClassSample(_shares("undersample", shares), seed_of("undersample", seed), repeats=False)


def oversample(*, seed: int, shares: Mapping[object, float] | None = None) -> ClassSample:
    """Declare that train repeats rows of rare classes, until the classes have their shares. Repeated rows are marked.

    Parameters and errors as of `undersample`.
    """
    return ClassSample(_shares("oversample", shares), seed_of("oversample", seed), repeats=True)


def _shares(where: str, shares: Mapping[object, float] | None) -> dict[str, float]:
    if shares is None:
        return {}
    if not isinstance(shares, Mapping) or not shares:
        raise DefinitionError(
            f"{where}: shares is {shares!r}; expected a share for each class, or None for equal shares",
            hint="example: shares={True: 0.3, False: 0.7}",
        )
    values = {str(value): share for value, share in shares.items()}
    if len(values) < len(shares):
        raise DefinitionError(
            f"{where}: shares is {shares!r}; two of its classes have the same text",
            hint="example: shares={True: 0.3, False: 0.7}",
        )
    for value, share in values.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise DefinitionError(
                f"{where}: the share of class {value} is {share!r}; expected a number above 0 and at most 1",
                hint="example: shares={True: 0.3, False: 0.7}",
            )
    total = math.fsum(values.values())
    if not abs(total - 1) <= _TOLERANCE:
        raise DefinitionError(
            f"{where}: the shares {', '.join(map(str, values.values()))} add up to {total:.12g}; expected 1",
            hint="example: shares={True: 0.3, False: 0.7}",
        )
    return values
