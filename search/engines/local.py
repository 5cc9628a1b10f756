"""The engine of this machine: worker processes of one slot or more."""

import torch

from search.engines.hangs import PATIENCE, Patience
from search.engines.team import Team
from search.engines.worker_process import Work, WorkerProcess
from trainer.data.images import TrainingData
from trainer.fused.kernels import load_kernels
from trainer.workers.settings import WorkerSettings
from trainer.workers.worker import work


class LocalEngine(Team):
    """Worker processes on this machine, one for each of `devices`. The data is shared with them, not copied.

    Each has `slots` slots, or as many as it finds right.
    """

    _work: Work = staticmethod(work)
    """What its processes do."""

    def __init__(
        self,
        data: TrainingData,
        devices: list[str],
        dtype: torch.dtype,
        slots: int | None = None,
        patience: Patience = PATIENCE,
    ) -> None:
        load_kernels()  # compiled here once, so that the workers find it done
        self._data = data.share_memory()
        super().__init__([WorkerSettings(device, dtype, slots) for device in devices], patience)

    def _start(self, settings: WorkerSettings) -> WorkerProcess:
        return WorkerProcess(self._work, self._data, settings, self._inbox)
