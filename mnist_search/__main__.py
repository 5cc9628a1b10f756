"""The console script `mnist-search`; `python -m mnist_search` runs it too."""

import sys

from mnist_search.shadowing import shadowed_text


def main() -> None:
    """Run the command line. Exit with code 2 and one line if other modules shadow the packages of this program."""
    text = shadowed_text()
    if text is not None:
        print(f"mnist-search: {text}", file=sys.stderr)
        sys.exit(2)
    # Imported after the check, and not by a worker that imports this script again.
    from search.cli import main as run

    run()


if __name__ == "__main__":
    main()
