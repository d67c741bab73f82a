"""A contract compiled for a frame: which rows break which rule, and the rows parted by it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from featurestore.quality.rules.contract_rules import ROW, Rule, failed_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.definitions.contract import Contract
    from featurestore.quality.gate.casting import CastColumn

SOURCE_FILE = "source_file"
SOURCE_ROW = "source_row"
BROKEN_RULES = "broken_rules"
MAX_EXAMPLES = 3
FLAG = "__flag__"
_GIVEN = "__given__"
_WORD = "__word__"
_BITS = 63


@dataclass(frozen=True)
class CompiledContract:
    """A contract, compiled for a frame.

    Attributes
    ----------
    given
        The frame as it came; ``source_file`` and ``source_row`` say where its rows come from, if it has them. A frame in
        memory is judged once, and what was found is kept beside it (a bit for each row and rule); a query is run again
        for each question, in bounded memory.
    plan
        How its columns become the contract's.
    """

    contract: Contract
    given: pl.DataFrame | pl.LazyFrame
    columns: tuple[str, ...]
    plan: dict[str, CastColumn]
    rules: tuple[Rule, ...]

    @cached_property
    def rows(self) -> pl.LazyFrame:
        """The conformed columns, where conversion lost a value, the columns as they came, and the number of each row."""
        values = [cast_column.value.alias(name) for name, cast_column in self.plan.items()]
        lost = [c.lost.alias(failed_column(name)) for name, c in self.plan.items() if c.lost is not None]
        given = [pl.col(name).alias(f"{_GIVEN}{name}") for name in self.columns]
        return self.given.lazy().with_row_index(ROW).select(ROW, *given, *values, *lost)

    @cached_property
    def found(self) -> dict[int, pl.Series | bool]:
        """Run the rules that find their rows by themselves."""
        return {i: rule.find(self.rows) for i, rule in enumerate(self.rules) if rule.find is not None}

    @cached_property
    def judged(self) -> pl.LazyFrame:
        """The rows, and for each rule that speaks of rows whether it is broken."""
        flags = [
            rule.broken.fill_null(value=False).alias(f"{FLAG}{i}")
            for i, rule in enumerate(self.rules)
            if rule.broken is not None and not rule.scalar
        ]
        flags += [
            pl.col(ROW).is_in(rows.implode()).alias(f"{FLAG}{i}")
            for i, rows in self.found.items()
            if isinstance(rows, pl.Series) and not rows.is_empty()
        ]
        judged = self.rows.with_columns(flags)
        return judged if isinstance(self.given, pl.LazyFrame) else judged.collect(engine="streaming").lazy()

    @cached_property
    def blaming(self) -> tuple[int, ...]:
        """The rules for which a row is set apart."""
        if self.contract.policy.on_invalid == "warn":
            return ()
        return tuple(i for i, rule in enumerate(self.rules) if not (rule.warning or rule.scalar))

    def split(self, counts: Sequence[int]) -> tuple[pl.LazyFrame, pl.LazyFrame, int]:
        """Part the rows: those that keep the contract, as the contract has them; the others, as they came; how many.

        Parameters
        ----------
        counts
            How often each rule is broken.
        """
        names = self.contract.schema.names()
        breaking = [i for i in self.blaming if counts[i]]
        if not breaking:
            nothing = self._as_given(self.rows.head(0), pl.lit(None, dtype=pl.List(pl.String)))
            return self.rows.select(names), nothing, 0
        bad = pl.any_horizontal(pl.col(f"{FLAG}{i}") for i in breaking)
        # Few combinations of rules are broken, however many rows: each is put into words once.
        words = self._words(breaking)
        combinations = self.judged.filter(bad).select(**words).group_by(list(words)).len()
        seen = combinations.collect(engine="streaming")
        reasons = pl.concat_list(self._reasons(seen[word], breaking) for word in words)
        failing = self._as_given(self.judged.filter(bad).with_columns(**words), reasons)
        return self.judged.filter(~bad).select(names), failing, int(seen["len"].sum())

    def examples(self, i: int) -> pl.LazyFrame:
        """Take the first values, as they came, that break a rule."""
        broken = self.judged.filter(pl.col(f"{FLAG}{i}"))
        return broken.select(f"{_GIVEN}{name}" for name in self.rules[i].columns).head(MAX_EXAMPLES)

    def _words(self, breaking: Sequence[int]) -> dict[str, pl.Expr]:
        """Pack which rules a row breaks into the bits of unsigned words."""
        return {
            f"{_WORD}{start}": pl.sum_horizontal(
                pl.col(f"{FLAG}{i}").cast(pl.UInt64) * (1 << bit)
                for bit, i in enumerate(breaking[start : start + _BITS])
            )
            for start in range(0, len(breaking), _BITS)
        }

    def _reasons(self, words: pl.Series, breaking: Sequence[int]) -> pl.Expr:
        """Name the rules whose bits are set; the few words that occur are each put into names once."""
        first = int(words.name.removeprefix(_WORD))
        seen = words.unique().sort()
        names = seen.to_frame().select(
            pl.concat_list(
                pl.when(pl.col(words.name) & (1 << bit) != 0).then(
                    pl.lit(self.rules[i].name, dtype=pl.String)
                )
                for bit, i in enumerate(breaking[first : first + _BITS])
            ).list.drop_nulls()
        )
        place = pl.col(words.name).replace_strict(seen, range(seen.len()), return_dtype=pl.UInt32)
        return place.map_batches(
            names.to_series().gather, return_dtype=pl.List(pl.String), is_elementwise=True
        )

    def _as_given(self, frame: pl.LazyFrame, reasons: pl.Expr) -> pl.LazyFrame:
        """Put rows into the form of a quarantine: where each comes from, the row as it came, and what it broke."""
        origin = [name for name in (SOURCE_FILE, SOURCE_ROW) if name in self.columns]
        number = [] if SOURCE_ROW in origin else [(pl.col(ROW) + 1).alias(SOURCE_ROW)]
        rest = [name for name in self.columns if name not in origin]
        as_came = {name: pl.col(f"{_GIVEN}{name}").alias(name) for name in self.columns}
        return frame.select(
            *map(as_came.__getitem__, origin),
            *number,
            *map(as_came.__getitem__, rest),
            reasons.alias(BROKEN_RULES),
        )
