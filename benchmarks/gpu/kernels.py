"""Where the time of a step goes on a GPU: its kernels, of a network of full convolutions and of a separable one."""

from collections import Counter

from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.setting import Row, Setting
from models.presets import get_preset
from trainer.data.noise import noise_data
from trainer.training.cuda_runner import CudaRunner, Lane
from trainer.training.train import Training

_STEPS = 10
_SHOWN = 12


def kernels(setting: Setting) -> list[Row]:
    """The most expensive kernels of a step, in microseconds, each launched by itself; on a CPU, operations."""
    return [row for name in ("a-step5", "ours-4990") for row in _of(name, setting.device)]


def _of(name: str, device: str) -> list[Row]:
    candidate = get_preset(name).candidate
    data = noise_data(_STEPS * candidate.recipe.batch_size).to(device)
    is_gpu = device.startswith("cuda")
    runner = CudaRunner(Lane(device), captures=False) if is_gpu else None
    training = Training(candidate, data, 0, device, runner=runner)
    training.train_epoch()
    with profile(activities=[ProfilerActivity.CUDA if is_gpu else ProfilerActivity.CPU]) as found:
        training.train_epoch()
    taken, times = Counter[str](), Counter[str]()
    for event in found.events() or []:
        if event.device_type.name == ("CUDA" if is_gpu else "CPU"):
            taken[event.name] += (event.device_time if is_gpu else event.self_cpu_time_total) / _STEPS
            times[event.name] += 1
    rows = [
        Row(f"{name}: kernels of a step", f"{sum(taken.values()):.0f} µs, {sum(times.values()) / _STEPS:.0f} of them")
    ]
    for kernel, each in taken.most_common(_SHOWN):
        rows.append(Row(f"{name}: `{kernel[:60]}`", f"{each:.1f} µs, {times[kernel] / _STEPS:.0f} times"))
    return rows
