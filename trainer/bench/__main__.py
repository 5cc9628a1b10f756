"""`python -m trainer.bench`: the bench where the command line's own dependencies are not installed."""

import argparse
import json
import sys
from pathlib import Path


def main() -> int:
    """Measures, prints the result and returns the exit code."""
    # Imported only now: a spawned contender imports this file again.
    from models.errors import MnistSearchError, WorkFailedError
    from trainer.bench.run import BenchRequest, run_bench
    from trainer.bench.text import bench_text

    options = _parser().parse_args()
    as_json = options.__dict__.pop("json")
    try:
        facts = run_bench(BenchRequest(**vars(options)), lambda text: print(text, file=sys.stderr, flush=True))
    except (MnistSearchError, WorkFailedError) as error:
        print(f"trainer.bench: {error}", file=sys.stderr)
        return 1 if isinstance(error, WorkFailedError) else 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print(json.dumps(facts, indent=2) if as_json else bench_text(facts))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m trainer.bench", description="This machine beside the sources' loop.")
    parser.add_argument("--device", default="auto", help="auto (each that is here), cpu, cuda or mps")
    parser.add_argument("--precision", default="auto", help="auto, float32 or bfloat16")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, help="of a round of each way; default: what fits into some seconds")
    parser.add_argument("--data-dir", type=Path, help="folder in torchvision's layout; default: images of noise")
    parser.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
