"""RayWorker: a worker in an actor of Ray, on whatever machine Ray has room for it."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Thread

import ray
import torch
from ray.exceptions import ActorUnavailableError, RayError, RayTaskError

from search.engines.ray_cluster import Needs
from search.engines.worker import Inbox, Worker
from trainer.training.train import Training
from trainer.workers.messages import Job, Message, Ready, Stop
from trainer.workers.remote import RemoteWorker
from trainer.workers.settings import WorkerSettings

_JOIN_SECONDS = 5
_HEARING = "hearing"  # a thread of the actor's own, since another one is at work until the end


class RayWorker(Worker):
    """An actor, asked for at once. It has no slot until it is ready: who knows when there is room for it.

    A thread here listens to it; Ray sends what it is told.
    """

    def __init__(
        self,
        data: "ray.ObjectRef",
        settings: WorkerSettings,
        needs: Needs,
        inbox: Inbox,
        make_training: Callable[..., Training] = Training,
    ) -> None:
        super().__init__(settings, n_slots=0)
        self.is_pending = True
        self._inbox = inbox
        self._end = "its worker ended"
        self._asked_at = time.monotonic()
        asked = {"num_cpus": needs.cpus, "num_gpus": needs.gpus, "max_restarts": 0}
        self.actor = ray.remote(**asked, concurrency_groups={_HEARING: 1})(RemoteWorker).remote()
        work = self.actor.work.options(num_returns="streaming")
        self._said = work.remote(data, settings, torch.__version__, make_training)
        self._thread = Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _tell(self, message: Job | Stop) -> None:
        self.actor.hear.options(concurrency_group=_HEARING).remote(message)

    def kill(self) -> None:
        """Ends it, whatever it does; Ray sees to one that does nothing within seconds."""
        with contextlib.suppress(RayError, ValueError):  # it is gone, or was never there
            ray.kill(self.actor)

    def bury(self) -> str:
        """Waits for its end, which was asked for or has come, and returns the reason in words."""
        self.kill()  # it may only be out of reach, and would train on
        self._thread.join(_JOIN_SECONDS)
        return self.last_words or self._end

    def _listen(self) -> None:
        try:
            for said in self._said:
                self._inbox.put((self, [self._timed(message) for message in ray.get(said)]))
        except RayError as error:
            self._end = _in_words(error)
        finally:
            self._inbox.put((self, None))

    def _timed(self, message: Message) -> Message:
        """A worker does not know how long Ray took to find a place for it."""
        since = time.monotonic() - self._asked_at
        return replace(message, start_seconds=since) if isinstance(message, Ready) else message


def _in_words(error: RayError) -> str:
    """Why an actor ended, in one line. Ray says it in a page."""
    if isinstance(error, RayTaskError):
        return f"its worker ended: {type(error.cause).__name__}: {' '.join(str(error.cause).split())}"
    if isinstance(error, ActorUnavailableError):
        return "its worker is out of reach"
    last = str(error).strip().splitlines()[-1:]  # the fields of the actor come before the reason
    return f"its worker ended: {' '.join(last)[:200]}"
