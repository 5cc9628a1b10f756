"""A small disk of its own for a search: an ext4 file system in a file, that can be filled, or fail. Needs root."""

import errno
import subprocess
import time
from pathlib import Path

_SIZE_BYTES = 24 * 2**20
_BLOCK_BYTES = 4096
_UNMOUNT_TRIES = 50


class SmallDisk:
    """A file system mounted at `folder`, which the kernel makes read-only once it has seen an error in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._image = folder.with_suffix(".img")
        with self._image.open("wb") as file:
            file.truncate(_SIZE_BYTES)
        _call("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
        folder.mkdir(parents=True, exist_ok=True)
        self._mount()

    def fill(self) -> None:
        """Leaves not a byte of it free."""
        with (self._folder / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(_BLOCK_BYTES))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def empty(self) -> None:
        """Gives the room back."""
        (self._folder / "filler").unlink(missing_ok=True)

    def fail(self) -> None:
        """Reports an error of the disk to the kernel, which makes it read-only at once, open files included.

        What was written before is on it: otherwise the loss of a cache would be taken for one of ours.
        """
        _call("sync", "-f", str(self._folder))
        device = _call("findmnt", "-n", "-o", "SOURCE", str(self._folder)).strip()
        Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("1")

    def mend(self) -> None:
        """Checks it and mounts it again, as one does who has seen it fail."""
        self._unmount()
        subprocess.run(["fsck.ext4", "-fy", str(self._image)], capture_output=True, check=False)  # 1: it was mended
        self._mount()

    def remove(self) -> None:
        """Unmounts it and removes the file."""
        self._unmount()
        self._image.unlink()

    def _mount(self) -> None:
        _call("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self._folder))

    def _unmount(self) -> None:
        for _ in range(_UNMOUNT_TRIES):
            if subprocess.run(["umount", str(self._folder)], capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.2)  # somebody who has just been killed still holds a file
        raise SystemExit(f"{self._folder} cannot be unmounted")


def _call(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
