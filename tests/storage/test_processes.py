"""Many processes at one file."""

import hashlib
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

from storage.epochs import epochs_of
from storage.store import Store
from tests.helpers.databases import add_epoch, new_trial, record, url_of

READER = """
import sys
from storage.epochs import epochs_of
from storage.store import Store
url, trial = sys.argv[1], int(sys.argv[2])
store = Store(url, must_exist=True)
print("ready", flush=True)
seen = []
while not seen or seen[-1] < 150:
    epochs = [record["epoch"] for record in epochs_of(store.engine, trial)]
    assert epochs == list(range(1, len(epochs) + 1))  # whole epochs, none missing
    seen.append(len(epochs))
    store.optuna.get_all_studies()
assert seen == sorted(seen)
print(len(set(seen)))
"""


def test_many_readers_while_one_writes(tmp_path: Path, store: Store) -> None:
    trial = new_trial(store)
    command = [sys.executable, "-c", READER, url_of(tmp_path / "s.db"), str(trial)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        for epoch in range(1, 151):
            add_epoch(store.engine, trial, record(epoch))
        n_states = [int(reader.communicate(timeout=60)[0]) for reader in readers]
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()
    assert [reader.returncode for reader in readers] == [0, 0, 0]
    assert min(n_states) > 1  # they did look while it was written
    with sqlite3.connect(tmp_path / "s.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_writers_wait_for_each_other(tmp_path: Path, store: Store) -> None:
    """Another writer holds the database for a while; ours waits instead of failing."""
    trial = new_trial(store)
    other = sqlite3.connect(tmp_path / "s.db", check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.7, other.rollback)
    release.start()
    start = time.monotonic()
    add_epoch(store.engine, trial, record(1))
    assert time.monotonic() - start > 0.5
    release.join()
    other.close()
    assert epochs_of(store.engine, trial) == [record(1)]


def test_a_closed_store_leaves_one_whole_file(tmp_path: Path) -> None:
    """Copied without its side files, as people copy databases, it holds everything."""
    store = Store(url_of(tmp_path / "s.db"))
    trial = new_trial(store)
    add_epoch(store.engine, trial, record(1))
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["s.db"]
    digest = hashlib.sha256((tmp_path / "s.db").read_bytes()).digest()
    copy = tmp_path / "copy.db"
    copy.write_bytes((tmp_path / "s.db").read_bytes())
    copied = Store(url_of(copy), must_exist=True)
    assert epochs_of(copied.engine, trial) == [record(1)]
    copied.close()
    assert hashlib.sha256((tmp_path / "s.db").read_bytes()).digest() == digest
