"""What was measured, as plain data: medians over the rounds, and ratios taken within each round."""

from collections.abc import Sequence
from statistics import median
from typing import Any

import torch

from trainer.bench.images import EPOCH_IMAGES
from trainer.bench.measure import DeviceBench, Team
from trainer.bench.ways import BATCH_SIZE, PRESET
from trainer.fused.network import has_kernels
from trainer.hardware.machine import cpu_name, usable_cores


def bench_facts(benches: Sequence[DeviceBench], notice: str, seconds: float) -> dict[str, Any]:
    """The facts of a whole bench, as `--json` prints them."""
    return {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "torch": torch.__version__,
        "network": PRESET.name,
        "params": PRESET.candidate.arch.params,
        "batch_size": BATCH_SIZE,
        "images": notice,
        "epoch_images": EPOCH_IMAGES,
        "devices": [_device_facts(bench) for bench in benches],
        "seconds": seconds,
    }


def _device_facts(bench: DeviceBench) -> dict[str, Any]:
    sources = [team for team in bench.teams if team.is_sources]
    one = bench.teams[len(sources)]
    quickest = max(sources, key=lambda team: median(_rates(team)))
    cheapest = min(sources, key=lambda team: median(_cores(team)))
    return {
        "device": bench.device,
        "device_name": torch.cuda.get_device_name() if bench.device == "cuda" else cpu_name(),
        "precision": bench.precision.name,
        "precision_reason": bench.precision.why,
        "step_seconds": dict(bench.precision.step_seconds),
        "fused_kernels": bench.device == "cpu" and has_kernels(),
        "rounds": len(one.costs),
        "sources_per_second": quickest.name,
        "sources_per_core_second": cheapest.name,
        "start_seconds": bench.workers[0].start.start_seconds,
        "start_core_seconds": bench.workers[0].start.core_seconds,
        "memory_bytes": max(worker.memory_bytes for worker in bench.workers),
        "ways": [_team_facts(team, quickest, cheapest, one) for team in bench.teams],
    }


def _team_facts(team: Team, quickest: Team, cheapest: Team, one: Team) -> dict[str, Any]:
    """Rates and costs are medians. `times_...` compare with another way within each round; of the sources' loops that
    is the one with the most images a second, and the one with the least processor time.

    `busy_share` is the processor time of a worker by the clock: on a CPU below 1 where others had the core.
    `times_one_worker_by_core_seconds` is what several workers would do if nobody else had the cores.
    """
    rates, cores = _rates(team), _cores(team)
    facts = {
        "name": team.name,
        "is_sources": team.is_sources,
        "workers": len(team.contenders),
        "slots": team.n_slots,
        "round_images": team.n_images * team.n_trainings,
        "images_per_second": median(rates),
        "core_seconds": median(cores),
        "times_sources_per_second": _spread(rates, _rates(quickest)),
        "times_sources_per_core_second": _spread(_cores(cheapest), cores),
        "busy_share": median(cost.core_seconds / cost.seconds for cost in team.costs),
        "round_images_per_second": rates,
        "round_core_seconds": cores,
    }
    if not team.is_sources:
        facts["times_one_worker"] = _spread(rates, _rates(one))
        one_cores = [team.n_trainings * cost.core_seconds for cost in one.costs]
        facts["times_one_worker_by_core_seconds"] = _spread(one_cores, cores)
    return facts


def _rates(team: Team) -> list[float]:
    """Images a second of all its workers together, round by round."""
    return [team.n_trainings * EPOCH_IMAGES / cost.seconds for cost in team.costs]


def _cores(team: Team) -> list[float]:
    """Processor time of 60,000 images, round by round."""
    return [cost.core_seconds for cost in team.costs]


def _spread(above: list[float], below: list[float]) -> dict[str, float]:
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    return {"median": median(ratios), "low": min(ratios), "high": max(ratios)}
