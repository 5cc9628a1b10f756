"""The command line: one small file per command."""


def main() -> None:
    """The console script."""
    # Imported only now: a spawned worker imports the script that started it, and needs none of this.
    from search.cli.app import main as run

    run()
