"""One training at a time and many: images a second by the number of slots, and by the steps in a graph."""

import time
from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import torch

import trainer.training.train
from benchmarks.gpu.chip import PRESET, name_of
from benchmarks.gpu.setting import Row, Setting
from models.presets import get_preset
from trainer.bench.run import BenchRequest, run_bench
from trainer.data.noise import noise_data
from trainer.training.cuda_runner import CudaRunner, Lane, why_no_graphs
from trainer.training.side_by_side import images_per_second
from trainer.training.train import Training
from trainer.workers.slot_count import MAX_SLOTS, best_count, measure_slots

BATCH = PRESET.candidate.recipe.batch_size


def beside_the_sources(setting: Setting) -> list[Row]:
    """The bench that users have: the sources' loop, one slot, all slots."""
    request = BenchRequest(
        setting.device.partition(":")[0],
        "float32",
        rounds=1 if setting.is_trial else 3,
        images=256 if setting.is_trial else None,
    )
    facts = run_bench(request, setting.say)
    [device] = facts["devices"]
    rows = [
        Row(f"bench: {way['name']}", f"{way['images_per_second']:,.0f} images/s")
        for way in device["ways"]
        if way["is_sources"]
    ]
    for way in device["ways"]:
        if not way["is_sources"]:
            times = way["times_sources_per_second"]["median"]
            is_one = way["name"] == "one worker"
            rows.append(
                Row(
                    f"bench: {way['name']}",
                    f"{way['images_per_second']:,.0f} images/s, {times:.1f} times the sources' loop",
                    "20 times" if is_one else "",
                    times >= 20 if is_one else None,
                    _at_best(setting),
                )
            )
    return rows


def by_slots(setting: Setting) -> list[Row]:
    """1, 2, 4, ... trainings at once in one process, and the number that a worker would choose."""
    most, n_batches = (2, 2) if setting.is_trial else (MAX_SLOTS, 96)
    measured = measure_slots(PRESET.candidate, setting.device, torch.float32, most, n_batches, min_gain=0.0)
    free = torch.cuda.mem_get_info(setting.device)[0] if setting.device.startswith("cuda") else 1 << 40
    chosen = best_count(measured, round(0.8 * free))
    setting.n_slots = chosen.n
    rows = [
        Row(
            f"{n} slots" if n > 1 else "one slot",
            f"{rate:,.0f} images/s, {rate / measured.rates[1]:.2f} times one",
            floor=_at_best(setting),
        )
        for n, rate in measured.rates.items()
    ]
    gain = max(measured.rates.values()) / measured.rates[1]
    return [
        *rows,
        Row("slots a worker takes", f"{chosen}; {measured.bytes_each / 2**20:,.0f} MiB each"),
        Row("all slots beside one", f"{gain:.1f} times", "15 times", gain >= 15),
    ]


def by_form(setting: Setting) -> list[Row]:
    """Full and separable networks, in batches of 128 and 64: one at a time and all slots, in epochs of a search's."""
    rows = []
    n_images = 512 if setting.is_trial else len(setting.data.train)
    data = noise_data(n_images).to(setting.device)
    for name in ("a-step5", "ours-4990"):
        for batch in (128, 64):
            candidate = get_preset(name).candidate
            candidate = replace(candidate, recipe=replace(candidate.recipe, batch_size=batch))
            rates, busy = [], 0.0
            for n_slots in (1, setting.n_slots):
                trainings = [Training(candidate, data, i, setting.device) for i in range(n_slots)]
                images_per_second(trainings, n_images)
                seconds, host = time.perf_counter(), time.process_time()
                rates.append(images_per_second(trainings, n_images))
                busy = (time.process_time() - host) / (time.perf_counter() - seconds)
            text = (
                f"one {rates[0]:,.0f} images/s, {setting.n_slots} slots {rates[1]:,.0f}, host busy {100 * busy:.0f} %"
            )
            rows.append(Row(f"{name}, batches of {batch}", text))
    return rows


def by_steps_a_graph(setting: Setting) -> list[Row]:
    """What it gains that one graph holds several steps, for one slot and for all."""
    if not setting.device.startswith("cuda") or why_no_graphs(setting.device) is not None:
        return [Row("steps a graph", f"nothing is captured on {name_of(setting.device)}")]
    n_images = 96 * BATCH
    data = noise_data(n_images).to(setting.device)
    rows = []
    for n_slots in dict.fromkeys((1, setting.n_slots)):
        rates = []
        for steps in (1, 4, 8, 32):
            runners = [CudaRunner(Lane(setting.device), True, steps) for _ in range(n_slots)]
            rates.append((steps, _rate([_training(data, setting.device, runner) for runner in runners], n_images)))
        eager = [CudaRunner(Lane(setting.device), captures=False) for _ in range(n_slots)]
        rates.append((0, _rate([_training(data, setting.device, runner) for runner in eager], n_images)))
        text = ", ".join(f"{steps or 'no graph'}: {rate:,.0f}" for steps, rate in rates)
        rows.append(Row(f"images/s by steps a graph, {n_slots} at once", text))
    return rows


def by_layout(setting: Setting) -> list[Row]:
    """Activations with the channels last, as on a CPU, and first, as on a GPU."""
    n_images = (2 if setting.is_trial else 96) * BATCH
    data = noise_data(n_images).to(setting.device)
    texts = []
    for layout in (torch.channels_last, torch.contiguous_format):
        kind = setting.device.partition(":")[0]
        with patch.dict(trainer.training.train.MEMORY_FORMATS, {kind: layout}):
            trainings = [Training(PRESET.candidate, data, i, setting.device) for i in range(setting.n_slots)]
        texts.append(f"{str(layout).removeprefix('torch.')}: {_rate(trainings, n_images):,.0f}")
    return [Row(f"images/s by layout, {setting.n_slots} at once", ", ".join(texts))]


def _training(data: object, device: str, runner: CudaRunner) -> Training:
    return Training(PRESET.candidate, data, 0, device, torch.float32, runner=runner)  # type: ignore[arg-type]


def _rate(trainings: Sequence[Training], n_images: int) -> float:
    images_per_second(trainings, n_images)
    return images_per_second(trainings, n_images, 3)


def _at_best(setting: Setting) -> str:
    return f"{BATCH / setting.step_floor:,.0f} images/s" if setting.step_floor else ""
