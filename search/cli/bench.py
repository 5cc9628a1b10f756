"""`mnist-search bench`: this machine's speed beside the sources' way of training."""

from typing import Annotated

import typer

from search.cli import completion, options

EXAMPLE = "Example: mnist-search bench --device cpu"


def command(
    rounds: Annotated[int, typer.Option("--rounds", help="Every way has its turn in each.")] = 7,
    images: Annotated[
        int | None, typer.Option("--images", help="Of a round of each way. Default: what fits into some seconds.")
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="NAME",
            autocompletion=completion.one_of(completion.DEVICES),
            help="auto (each that is here), cpu, cuda or mps.",
        ),
    ] = "auto",
    precision: options.Precision = "auto",
    data_dir: options.DataDir = None,
    json: options.Json = False,
) -> None:
    """Measure how fast this machine trains: the sources' way, one worker, all workers. Under two minutes."""
    import sys

    from search.cli.tables import print_json
    from trainer.bench.run import BenchRequest, run_bench
    from trainer.bench.text import bench_text
    from trainer.data.find import data_folder

    request = BenchRequest(device, precision, rounds, images, data_folder(data_dir))
    facts = run_bench(request, lambda text: print(text, file=sys.stderr, flush=True))
    if json:
        print_json(facts)
    else:
        print(bench_text(facts))
