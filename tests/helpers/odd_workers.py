"""What a process may do in the place of a worker's life."""

import os
import time
from multiprocessing.connection import Connection

from trainer.workers.messages import Finished, Job, Ready


def die(*_: object) -> None:
    """Ends before it begins."""
    os._exit(3)


def write_before_reading(connection: Connection, *_: object) -> None:
    """Says more than a line holds before it reads anything; then finishes each job at once."""
    connection.send([Ready(0.0, 0, 256)])
    connection.send([Finished(-1, bytes(4_000_000))])
    while isinstance(job := connection.recv(), Job):
        connection.send([Finished(job.number, b"weights")])


def say_half_a_word(connection: Connection, *_: object) -> None:
    """Begins a message and never ends it, and reads nothing."""
    connection.send([Ready(0.0, 0, 8)])
    os.write(connection.fileno(), b"\x00\x00\xff\xff half a word")
    time.sleep(600)


def say_nothing(*_: object) -> None:
    """Stands still from the beginning."""
    time.sleep(600)
