"""Space: the ranges of everything the search samples, and how a candidate is drawn from them.

Conditional values are asked for only where they mean something: the parameters of a schedule when it is chosen, the
width of a convolution when the network is that deep.
"""

import random
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from models.arch import ArchSpec
from models.candidate import Candidate
from models.errors import MnistSearchError
from models.recipe import Recipe
from models.schedules import SCHEDULES, Constant, Cosine, MultiStep, OneCycle, Plateau, Schedule, Step
from models.template import Template
from search.space.catalogue import ARCHITECTURE_RANGES, DEFAULT_RANGES, WIDTHS, read_range
from search.space.draws import NarrowDraw, RandomDraw
from search.space.neutral import neutral_range
from search.space.ranges import Categorical, IntRange, Range, Suggest, parse_range

_N_FITTING_DRAWS = 200
_WIDEST = 64
_FITTING_SHARE = 0.6


@dataclass(frozen=True)
class Space:
    """Ranges by name, one for each name of `search/space/catalogue.py`."""

    ranges: Mapping[str, Range]

    @classmethod
    def of(cls, given: Mapping[str, str], max_params: int) -> "Space":
        """The default ranges with the given ones (as text) in their place, its widths made to follow the budget.

        Raises MnistSearchError for an unknown name or an impossible range, all faults at once.
        """
        faults, ranges = [], {name: parse_range(text) for name, text in DEFAULT_RANGES.items()}
        for name, text in given.items():
            try:
                ranges[name] = read_range(name, str(text))
            except MnistSearchError as error:
                faults.append(f"range {name}: {error}")
        if faults:
            raise MnistSearchError("; ".join(faults))
        return cls(ranges)._fitted(max_params, [name for name in WIDTHS if name not in given])

    def to_dict(self) -> dict[str, str]:
        """The ranges as text; `Space.from_dict` reads them back."""
        return {name: values.text() for name, values in self.ranges.items()}

    @classmethod
    def from_dict(cls, texts: Mapping[str, str]) -> "Space":
        """A space as it was stored: nothing is fitted again. A range that came later has its neutral value alone.

        Raises MnistSearchError if a range without one is missing, and for a text that is no such range.
        """
        missing = {name: neutral_range(name) for name in DEFAULT_RANGES if name not in texts}
        ranges: dict[str, Range] = {name: _stored_range(name, text) for name, text in texts.items()}
        for name, neutral in missing.items():
            if neutral is None:
                raise MnistSearchError(
                    f"another version of mnist-search made this study, it has no range {name}: "
                    "begin another with --study NAME"
                )
            ranges[name] = neutral
        return cls(ranges)

    def sample(self, trial: Suggest, epochs: int) -> Candidate:
        """A candidate whose values `trial` chooses, to be trained for `epochs` epochs."""
        return Candidate(self.sample_arch(trial), self._recipe(trial, epochs))

    def sample_arch(self, trial: Suggest) -> ArchSpec:
        """The architecture alone."""
        ask = _Asker(self.ranges, trial)
        stem = tuple(ask(f"stem_width_{i}", "stem_width") for i in range(1, ask("stem_depth") + 1))
        body_repeats, body_depth = ask("body_repeats"), ask("body_depth")
        # What is applied again has as many channels going out as coming in: one width for all.
        n_widths = body_depth if body_repeats == 1 else 1
        body = tuple(ask(f"body_width_{i}", "body_width") for i in range(1, n_widths + 1)) * (body_depth // n_widths)
        n_expansions = min(ask("n_expansions"), len(body))
        head, pool_place = ask("head"), ask("pool_place")
        template = Template(
            stem=stem,
            transition=ask("transition_width"),
            body=body,
            stem_kernel=ask("stem_kernel"),
            transition_place=ask("transition_place") if pool_place == "after-stem" else "before-pool",
            # In the middle: by then the map is still large enough to be worth halving.
            second_pool_after=(len(body) + 1) // 2 if ask("second_pool") else 0,
            n_expansions=n_expansions,
            expansion=ask("expansion_width") if n_expansions else 1,
            order=ask("order"),
            head=head,
            hidden=ask("hidden_width") if head == "gap-hidden" else 1,
            dropout_place=ask("dropout_place"),
            norm=ask("norm"),
            activation=ask("activation"),
            pool_place=pool_place,
            convolution=ask("convolution"),
            skips=ask("skips"),
            body_repeats=body_repeats,
        )
        return template.arch()

    def _recipe(self, trial: Suggest, epochs: int) -> Recipe:
        ask = _Asker(self.ranges, trial)
        optimizer = ask("optimizer")
        plain = (
            *("dropout", "rotation_degrees", "translation_share", "scale_share", "shear_degrees"),
            *("brightness", "contrast", "label_smoothing", "ema_decay", "fade_share", "statistics_images"),
        )
        return Recipe(
            epochs=epochs,
            optimizer=optimizer,
            lr=ask("adamw_lr" if optimizer == "adamw" else "lr"),
            batch_size=ask("batch_size"),
            weight_decay=ask("weight_decay"),
            schedule=_schedule(ask, epochs),
            **{name: ask(name) for name in plain},
        )

    @cached_property
    def smallest_params(self) -> int:
        """Parameters of the smallest network of the space."""
        return min(arch.params for arch in self._narrowest())

    def _narrowest(self) -> Iterator[ArchSpec]:
        """A network for each combination of depths, kernel, pool and head, at its lowest widths."""
        paths: list[tuple[Any, ...]] = [()]
        while paths:
            draw = NarrowDraw(paths.pop())
            yield self.sample_arch(draw)
            paths += draw.branches

    def share_below(self, max_params: int, n_draws: int = _N_FITTING_DRAWS, seed: int = 0) -> float:
        """The share of random draws that passes the gate, estimated from `n_draws`."""
        return statistics.fmean(n < max_params for n in self.drawn_params(n_draws, seed))

    def drawn_params(self, n_draws: int = _N_FITTING_DRAWS, seed: int = 0) -> list[int]:
        """Parameter counts of random draws."""
        rng = random.Random(seed)
        return [self.sample_arch(RandomDraw(rng)).params for _ in range(n_draws)]

    def range_to_narrow(self) -> str:
        """The name of the range that costs the most parameters: pinning it to its lowest value saves the most."""
        numeric = [n for n in ARCHITECTURE_RANGES if isinstance(r := self.ranges[n], IntRange) and r.high > r.low]
        medians = {name: statistics.median(self._pinned(name).drawn_params()) for name in numeric}
        return min(medians, key=medians.__getitem__, default="body_width")

    def _pinned(self, name: str) -> "Space":
        lowest = self.ranges[name].low  # type: ignore[union-attr]
        return self._with({name: Categorical((lowest,))})

    def _with(self, ranges: Mapping[str, Range]) -> "Space":
        return replace(self, ranges={**self.ranges, **ranges})

    def _fitted(self, max_params: int, names: list[str]) -> "Space":
        """The same space with the widest `names` at which most random draws still pass the gate."""
        if not names:
            return self
        low, high = 5, _WIDEST
        while low < high:  # the share falls as the widths grow: bisect
            middle = (low + high + 1) // 2
            if self._widened(names, middle).share_below(max_params) >= _FITTING_SHARE:
                low = middle
            else:
                high = middle - 1
        return self._widened(names, low)

    def _widened(self, names: list[str], high: int) -> "Space":
        return self._with({name: IntRange(min(4, high // 2), high) for name in names})


def _stored_range(name: str, text: str) -> Range:
    """A range as a study keeps it; one that this program does not know may be of another version."""
    try:
        return read_range(name, text) if name in DEFAULT_RANGES else parse_range(text)
    except MnistSearchError as error:
        raise MnistSearchError(f"the study keeps an impossible range {name}: {error}") from None


class _Asker:
    """Asks a trial for values by the name of their range; a value of a list of widths has a name of its own."""

    def __init__(self, ranges: Mapping[str, Range], trial: Suggest) -> None:
        self._ranges = ranges
        self._trial = trial

    def __call__(self, name: str, range_name: str | None = None) -> Any:
        return self._ranges[range_name or name].suggest(name, self._trial)


def _schedule(ask: _Asker, epochs: int) -> Schedule:
    match ask("schedule"):
        case "onecycle":
            return OneCycle(warmup_share=ask("warmup_share"))
        case "cosine":
            return Cosine(warmup_epochs=min(ask("warmup_epochs"), epochs - 1))
        case "step":
            # By how often it falls, not by how many epochs apart: so it means the same at every length of training.
            return Step(every=max(1, epochs // (ask("step_count") + 1)), gamma=ask("step_gamma"))
        case "multistep":
            first = ask("milestone_share")
            shares = (first, (1 + first) / 2)
            return MultiStep(tuple(sorted({max(1, round(s * epochs)) for s in shares})), gamma=ask("step_gamma"))
        case "plateau":
            return Plateau(factor=ask("plateau_factor"), patience=ask("plateau_patience"))
        case "constant":
            return Constant()
        case other:
            raise MnistSearchError(f"unknown schedule {other!r}: it may be {', '.join(SCHEDULES)}")
