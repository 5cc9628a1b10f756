"""The engine of a Ray cluster: workers as actors, wherever Ray has room for them."""

from collections.abc import Callable

import ray
import torch

from search.engines.hangs import PATIENCE, Patience
from search.engines.ray_cluster import ONE_CPU, Needs, holdings
from search.engines.ray_worker import RayWorker
from search.engines.team import Team
from trainer.data.images import TrainingData
from trainer.training.train import Training
from trainer.workers.settings import WorkerSettings


class RayEngine(Team):
    """An actor for each of `devices`, on the cluster that this process is connected to.

    The data goes into Ray's object store once, from where each node has it once. A worker whose node is gone is asked
    for anew, and has no slots until there is room for it.
    """

    def __init__(
        self,
        data: TrainingData,
        devices: list[str],
        dtype: torch.dtype,
        slots: int | None = None,
        needs: Needs = ONE_CPU,
        patience: Patience = PATIENCE,
        make_training: Callable[..., Training] = Training,
    ) -> None:
        self._data = ray.put(data.to_arrays())
        self._needs = needs
        self._make_training = make_training
        super().__init__([WorkerSettings(device, dtype, slots) for device in devices], patience)

    def _start(self, settings: WorkerSettings) -> RayWorker:
        return RayWorker(self._data, settings, self._needs, self._inbox, self._make_training)

    def _why_nobody(self) -> str:
        return f"Ray has no room for a worker, which needs {self._needs}: the cluster is {holdings()}"
