"""The command line: one small file per command."""

from search.cli.app import main

__all__ = ["main"]
