"""`mnist-search bench`: this machine's speed beside the sources' way of training."""

from typing import Annotated

import typer

from search.cli import completion, options
from search.cli.messages import say

EXAMPLE = "Example: mnist-search bench --device cpu"


def command(
    rounds: Annotated[int, typer.Option("--rounds", help="How often each way is timed.")] = 7,
    images: Annotated[
        int | None,
        typer.Option(
            "--images", help="Images that each way trains on in a round. Default: as many as take some seconds."
        ),
    ] = None,
    device: Annotated[
        str,
        options.choice("--device", completion.DEVICES, "What to measure. auto measures each device that is here."),
    ] = "auto",
    precision: options.Precision = "auto",
    data_dir: options.DataDir = None,
    json: options.Json = False,
) -> None:
    """Measure how fast this machine trains. The course reports' way, one worker, all workers. Under two minutes."""
    from search.cli.tables import print_json
    from trainer.bench.run import BenchRequest, run_bench
    from trainer.bench.text import bench_text
    from trainer.data.find import data_folder

    request = BenchRequest(device, precision, rounds, images, data_folder(data_dir))
    facts = run_bench(request, say)
    if json:
        print_json(facts)
    else:
        print(bench_text(facts))
