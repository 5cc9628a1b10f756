"""What parts of the template and of a recipe are worth, at about 1,000, 3,500 and 8,000 parameters.

    MNIST_SEARCH_DATA=DIR python -m benchmarks.ablation_by_size [--workers 2] [--seeds 8] [--sizes 1000 3500 8000]
    MNIST_SEARCH_DATA=DIR python -m benchmarks.ablation_by_size --device cuda [--seconds 200] ...

Size 3491 is the form of the records, with their recipe in batches of 128 and 8 epochs; 999 is much the same form with
its pool behind the stem.

On real MNIST, judged by held-out training images. Every variant of a size is trained with the same seeds. A part that
costs parameters is paid for by smaller widths, and what it saves makes them larger, so that sizes are equal; but where
that is a handful (BatchNorm with a bias alone, PReLU), or nothing (skips), the widths stay. Writes
`results/ablation-by-size.jsonl` as results come (and goes on from there), then the page; what a GPU trained, all seeds
of a variant at once, goes to `results/ablation-by-size-gpu.jsonl` and a page of its own.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch

from benchmarks._jobs import Job, run_jobs
from benchmarks._on_gpu import run_jobs_on_gpu
from benchmarks._report import machine_line, write
from benchmarks._trainings import measure
from models.candidate import Candidate
from models.recipe import Recipe
from models.schedules import OneCycle
from models.template import Template
from search.measures.statistics import deviation, difference

RESULTS = Path(__file__).parent / "results" / "ablation-by-size.jsonl"
RESULTS_OF_GPU = RESULTS.with_stem("ablation-by-size-gpu")
EPOCHS = 8
BASE = Recipe(
    epochs=EPOCHS, lr=0.1, schedule=OneCycle(), weight_decay=5e-5, dropout=0.0, rotation_degrees=7.0, ema_decay=0.995
)
RECORDS = replace(
    BASE, lr=0.25, dropout=0.01, translation_share=0.05, scale_share=0.06, label_smoothing=0.03, fade_share=0.4,
    statistics_images=2000,
)  # fmt: skip
_SEPARABLE = Template(
    stem=(9, 18), transition=11, body=(24, 18, 18, 22, 14), convolution="separable", pool_place="after-first"
)
BASES = {
    1000: (Template(stem=(4, 6), transition=4, body=(6, 8), second_pool_after=1), BASE),
    3500: (Template(stem=(6, 9), transition=8, body=(9, 11, 12)), BASE),
    8000: (Template(stem=(8, 16), transition=8, body=(12, 16, 22)), BASE),
    3491: (_SEPARABLE, RECORDS),
    999: (Template(stem=(5, 8), transition=5, body=(9, 8, 8, 8, 7), convolution="separable"), RECORDS),
}

Change = Callable[[Candidate, Template], Candidate]


def _shape(**parts: Any) -> Change:
    """Another template within the parameters of the base."""
    return lambda base, template: replace(base, arch=fitted(replace(template, **parts), base.arch.params).arch())


def _same_widths(**parts: Any) -> Change:
    return lambda base, template: replace(base, arch=replace(template, **parts).arch())


def _one_fewer(base: Candidate, template: Template) -> Candidate:
    """Without the last body convolution."""
    return _shape(body=template.body[:-1])(base, template)


def _repeated(n: int, times: int) -> Change:
    """One convolution before the pool, then so many of one width with skips, those behind the first applied so many
    times with the same weights: the form that a search on a GPU settled on."""

    def change(base: Candidate, template: Template) -> Candidate:
        of = replace(template, stem=template.stem[:1], skips=True, body_repeats=times)
        found = _widest(base, (replace(of, body=(width,) * n) for width in range(2, 80)))
        found = _widest(base, (replace(found, transition=width) for width in range(found.transition, 80)))
        return replace(base, arch=found.arch())

    return change


def _widest(base: Candidate, tried: Iterator[Template]) -> Template:
    """The last of templates that grow which has no more parameters than the base."""
    return list(takewhile(lambda template: template.arch().params <= base.arch.params, tried))[-1]


def _recipe(**parts: Any) -> Change:
    return lambda base, _: replace(base, recipe=replace(base.recipe, **parts))


VARIANTS: dict[str, Change] = {
    "base": lambda base, _: base,
    "spatial head": _shape(head="spatial"),
    "BatchNorm with a bias alone": _same_widths(norm="bn-bias"),
    "20 epochs, batch 64": _recipe(epochs=20, batch_size=64),
    "separable": _shape(convolution="separable"),
    "batch 64": _recipe(batch_size=64),
    "skips": _same_widths(skips=True),
    "PReLU": _same_widths(activation="prelu"),
    "pool after the first": _shape(pool_place="after-first"),
    "separable, pool after the first": _shape(convolution="separable", pool_place="after-first"),
    "pool after the stem": _shape(pool_place="after-stem"),
    "a convolution fewer": _one_fewer,
    "three blocks twice, skips": _repeated(3, 2),
    "three blocks three times, skips": _repeated(3, 3),
    "two blocks three times, skips": _repeated(2, 3),
    "four blocks twice, skips": _repeated(4, 2),
}


def fitted(template: Template, params: int) -> Template:
    """The template with its widths behind the first convolution scaled alike, and then filled up one by one from the
    last, to the most that so many parameters hold."""
    fits = [t for t in (_scaled(template, n / 20) for n in range(2, 60)) if t.arch().params <= params]
    best = fits[-1]
    is_growing = True
    while is_growing:
        is_growing = False
        for wider in _one_wider(best):
            if wider.arch().params <= params:
                best, is_growing = wider, True
                break
    return best


def _scaled(template: Template, factor: float) -> Template:
    return _with_widths(template, [max(2, round(factor * width)) for width in _widths(template)])


def _one_wider(template: Template) -> Iterator[Template]:
    widths = _widths(template)
    for i in reversed(range(len(widths))):
        yield _with_widths(template, [width + (j == i) for j, width in enumerate(widths)])


def _widths(template: Template) -> list[int]:
    return [*template.stem[1:], template.transition, *template.body]


def _with_widths(template: Template, widths: list[int]) -> Template:
    n = len(template.stem) - 1
    return replace(template, stem=(template.stem[0], *widths[:n]), transition=widths[n], body=tuple(widths[n + 1 :]))


def candidate_of(size: int, variant: str) -> Candidate:
    """What is trained."""
    template, recipe = BASES[size]
    return VARIANTS[variant](Candidate(template.arch(), recipe), template)


def train(job: Job) -> dict[str, Any]:
    """One training of a variant."""
    candidate = _candidate(job)
    return {"params": candidate.arch.params, "macs": candidate.arch.macs, **measure(candidate, job["seed"])}


def _candidate(job: Job) -> Candidate:
    return candidate_of(job["size"], job["variant"])


def rows(results: list[Job]) -> list[list[str]]:
    """A row for each size and variant that was trained."""
    lines = []
    for size in BASES:
        base = _of(results, size, "base")
        for variant in VARIANTS:
            found = _of(results, size, variant)
            if found:
                lines.append(_row(variant, found, base))
    return lines


def _of(results: list[Job], size: int, variant: str) -> dict[int, Job]:
    return {r["seed"]: r for r in results if (r["size"], r["variant"]) == (size, variant)}


def _row(variant: str, found: dict[int, Job], base: dict[int, Job]) -> list[str]:
    seeds = sorted(found.keys() & base.keys())
    values, others = ([of[seed]["sustained_accuracy"] for seed in seeds] for of in (found, base))
    any_of = next(iter(found.values()))
    cells = [
        variant,
        f"{any_of['params']:,}",
        f"{any_of['macs']:,}",
        str(len(seeds)),
        f"{100 * sum(values) / len(values):.3f}",
        f"{100 * (deviation(values) or 0):.3f}",
    ]
    gap = difference(values, others, paired=True)
    cost = sum(_seconds(found[s]) for s in seeds) / sum(_seconds(base[s]) for s in seeds)
    if variant == "base" or gap.interval is None:
        return [*cells, "", "", "", f"{cost:.2f}"]
    verdict = ("better" if gap.mean > 0 else "worse") if gap.is_told_apart else "cannot be told apart"
    inside = f"{100 * gap.interval.low:+.3f} to {100 * gap.interval.high:+.3f}"
    return [*cells, f"{100 * gap.mean:+.3f}", inside, verdict, f"{cost:.2f}"]


def _seconds(result: Job) -> float:
    return float(result["core_seconds"] if "core_seconds" in result else result["device_seconds"])


COLUMNS = (
    *("variant", "parameters", "MACs", "n", "sustained %", "sd"),
    *("minus base", "95 % interval", "verdict", "seconds"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--sizes", type=int, nargs="*", choices=list(BASES), default=list(BASES))
    parser.add_argument("--variants", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seconds", type=float, default=math.inf, help="on a GPU, after which no variant is begun")
    options = parser.parse_args()
    is_gpu = options.device == "cuda"
    jobs = [
        {"size": size, "variant": name, "seed": seed}
        for seed in range(options.seeds)
        for size in options.sizes
        for name in options.variants
    ]
    path = RESULTS_OF_GPU if is_gpu else RESULTS
    if is_gpu:
        results = run_jobs_on_gpu(jobs, _candidate, path, "cuda:0", options.seconds)
    else:
        results = run_jobs(jobs, train, path, options.workers)
    text = (
        f"# What parts of template and recipe are worth, by size{', on a GPU' if is_gpu else ''}\n\n"
        f"`MNIST_SEARCH_DATA=DIR python -m benchmarks.ablation_by_size {_arguments(options)}`,\n"
        f"{f'{torch.cuda.get_device_name()}, ' if is_gpu else ''}{machine_line()}.\n"
        "50,000 training images, judged by the other 10,000 (no test image). The base of each size is a conv → 1x1\n"
        f"→ GAP network (`BASES`), trained for {EPOCHS} epochs: SGD .1 under OneCycle, batch 128, weight decay 5e-5,\n"
        "rotation of ±7°, moving average .995; of 3,491 and 999, a separable one with the recipe of the records, .25\n"
        "in batches of 128. Each variant changes what its name says, with the same seeds. A part that costs\n"
        "parameters is paid for by smaller widths, and what it saves makes them larger; where that is a handful\n"
        "(BatchNorm with a bias alone, PReLU), or nothing, the widths stay. Sustained: the mean of the last three\n"
        "epochs, in %; the difference in points with its paired 95 % interval (no correction for the number of\n"
        "comparisons); seconds of a core, or of the GPU, relative to base.\n"
    )
    write(path.with_suffix(".md"), text, COLUMNS, rows(results))


def _arguments(options: argparse.Namespace) -> str:
    said = f"--sizes {' '.join(map(str, options.sizes))} --seeds {options.seeds}"
    said += f" --variants {' '.join(map(repr, options.variants))}"
    return said if options.device == "cpu" else f"{said} --device {options.device}"


if __name__ == "__main__":
    main()
