"""`mnist-search run`: the search itself."""

from search.cli import options, run_options
from search.cli.messages import loading

EXAMPLE = "Example: mnist-search run --trials 60 --max-params 8000 --set body_width=4:16"


def command(
    trials: run_options.Trials = 200,
    max_params: run_options.MaxParams = None,
    target: run_options.Target = None,
    find: run_options.Find = None,
    margin: run_options.Margin = None,
    sustain: run_options.Sustain = None,
    epochs: run_options.Epochs = None,
    sampler: run_options.Sampler = None,
    pruner: run_options.Pruner = None,
    space: run_options.SpaceFile = None,
    set: run_options.SetRanges = None,
    workers: options.Workers = "auto",
    slots: options.Slots = "auto",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    engine: options.Engine = "local",
    ray_address: options.RayAddress = None,
    gpus_per_worker: options.GpusPerWorker = None,
    timeout: run_options.Timeout = None,
    patience: run_options.Patience = None,
    take_over: run_options.TakeOver = False,
    stop_at_target: run_options.StopAtTarget = False,
    warm_start: run_options.WarmStart = None,
    seed: run_options.Seed = None,
    deterministic: run_options.Deterministic = False,
    window: run_options.Window = None,
    split: run_options.Split = None,
    dataset: options.DatasetName = None,
    data_dir: options.DataDir = None,
    storage: options.Storage = options.STORAGE_DEFAULT,
    artifacts: options.Artifacts = None,
    study: run_options.Study = None,
    dashboard: run_options.Dashboard = False,
    json: options.Json = False,
) -> int:
    """Search for small networks; run it again to resume the study."""
    given = {name: value for name, value in locals().items() if name != "json"}
    loading()
    from mnist_search import search
    from search.cli.interrupts import EXIT_INTERRUPTED
    from search.cli.status import print_status
    from search.cli.terminal import Terminal

    terminal = Terminal()
    found = search(**given, watcher=terminal)
    print_status(found.inner, as_json=json)
    return EXIT_INTERRUPTED if terminal.is_interrupted else 0
