"""C compilers that do not work."""

from pathlib import Path


def a_compiler(folder: Path, script: str) -> Path:
    """Write a shell script that stands for a C compiler; its last argument is the file to write."""
    path = folder / "a-compiler"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return path
