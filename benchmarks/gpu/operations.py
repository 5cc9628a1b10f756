"""How many operations a captured step is made of: on a GPU about as many kernels, each of some microseconds."""

from dataclasses import replace
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.gpu.chip import PRESET
from benchmarks.gpu.setting import Row, Setting
from trainer.data.noise import noise_data
from trainer.training.train import Training

_NO_KERNEL = ("view", "reshape", "as_strided", "expand", "slice", "select", "detach", "t", "transpose", "unsqueeze",
              "squeeze", "alias", "empty", "empty_like", "_unsafe_view", "permute", "_record_function_enter_new",
              "_record_function_exit")  # fmt: skip


class _Counting(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name().partition("::")[2].partition(".")[0]
        self.n += name not in _NO_KERNEL
        return func(*args, **(kwargs or {}))


def operations(setting: Setting) -> list[Row]:
    """Of a step of a-step5 with dropout, rotation and a moving average, each launched by itself."""
    recipe = replace(PRESET.candidate.recipe, dropout=0.025, rotation_degrees=7.0, ema_decay=0.998)
    candidate, n = replace(PRESET.candidate, recipe=recipe), recipe.batch_size
    training = Training(candidate, noise_data(2 * n).to(setting.device), 0, setting.device)
    training.train_epoch()
    training._plan.rewind()
    with _Counting() as counting:
        training._step(n)
    return [Row("operations of a step of a-step5", str(counting.n))]
