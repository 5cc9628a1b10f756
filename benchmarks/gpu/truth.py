"""That a GPU trains what a CPU trains, and that a slot's numbers are its own."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.gpu.chip import PRESET
from benchmarks.gpu.setting import Row, Setting
from models.arch import ArchSpec
from models.candidate import Candidate
from models.layers import AvgPool, Conv, Gap, MaxPool, Skip
from models.presets import PRESETS
from trainer.data.images import Images, TrainingData
from trainer.training.cuda_runner import why_no_graphs
from trainer.training.records import EpochRecord
from trainer.training.side_by_side import train_side_by_side
from trainer.training.train import Training

_ALL_LAYERS = ArchSpec(
    (
        Conv(8, 5, padding=2, then=("bn-bias", "relu")),
        MaxPool(),
        Conv(8, padding=1, groups=8, then=()),  # separable
        Conv(8, 1, then=("bn-bias", "silu", "dropout")),
        Skip(2),
        Conv(8, padding=1, then=("prelu", "bn")),
        Conv(8, padding=1, then=("bn", "leaky-relu"), shares=1),
        AvgPool(),
        Conv(8, 7, groups=8, then=()),  # a spatial head
        Conv(12, 1, bias=True, then=("relu",)),
        Gap(),
        Conv(10, 1, then=()),
    )
)
_SEARCHED = replace(
    PRESET.candidate.recipe,
    lr=0.05,
    rotation_degrees=7.0,
    translation_share=0.05,
    scale_share=0.05,
    shear_degrees=4.0,
    label_smoothing=0.03,
    ema_decay=0.998,
    fade_share=0.4,
    statistics_images=1000,
)
_FIRST_STEPS = 3
_ROUNDING = 1e-4
"""Relative: float32 sums in another order, through some steps of a training. Each step makes the difference ten times
as large or more: on an H200 it was 2e-8 after two steps, 7e-6 after three, and 1e-3 after five."""


def truth(setting: Setting) -> list[Row]:
    """A row for each check."""
    device, data = setting.device, _few(setting.data, 6400 if not setting.is_trial else 256)
    reason = why_no_graphs(device) if device.startswith("cuda") else "it is no CUDA device"
    return [
        Row("steps are captured as CUDA graphs", reason or "yes", "yes", reason is None),
        first_steps(device, data),
        all_layers(device, data),
        repeats(device, data),
        neighbours(device, data, 3 if setting.is_trial else 8),
        refill(device, data),
        going_on(device, data),
    ]


def candidate_of(dropout: float = 0.05, epochs: int = 2) -> Candidate:
    """a-step5 with all that a searched recipe has."""
    return replace(PRESET.candidate, recipe=replace(_SEARCHED, epochs=epochs, dropout=dropout))


def first_steps(device: str, data: TrainingData) -> Row:
    """The mean losses of the first steps, by CPU and device: the same batches, the same weights."""
    batch = PRESET.candidate.recipe.batch_size
    few = _few(data, _FIRST_STEPS * batch)
    losses = []
    for place in ("cpu", device):
        training = Training(candidate_of(dropout=0.0), few, 0, place)
        losses.append(training.train_epoch()[0])
    difference = abs(losses[1] - losses[0]) / losses[0]
    return Row(
        f"loss of the first {_FIRST_STEPS} steps, CPU and {device}",
        f"{losses[0]:.6f} and {losses[1]:.6f}, {difference:.1e} apart",
        "equal to rounding",
        is_met=difference < _ROUNDING,
        is_check=True,
    )


def all_layers(device: str, data: TrainingData) -> Row:
    """Every kind of layer and of what follows one, trained and evaluated: by CPU and device alike."""
    recipe = replace(_SEARCHED, lr=PRESET.candidate.recipe.lr, epochs=1, dropout=0.0, ema_decay=0.9)
    candidate, few = Candidate(_ALL_LAYERS, recipe), _few(data, 2 * recipe.batch_size)
    losses = []
    for place in ("cpu", device):
        [record] = Training(candidate, few, 0, place)
        losses += [record.train_loss, record.eval_loss]
    difference = max(abs(losses[n + 2] - losses[n]) / losses[n] for n in (0, 1))
    return Row(
        "every layer, trained and evaluated",
        f"losses up to {difference:.1e} apart",
        "equal to rounding",
        is_met=difference < 10 * _ROUNDING,  # evaluated behind the last step, which adds to the difference
        is_check=True,
    )


def repeats(device: str, data: TrainingData) -> Row:
    """The same seed twice."""
    first, second, other = (_records(Training(candidate_of(), data, seed, device)) for seed in (1, 1, 2))
    if first == other:
        return Row(
            "a seed gives the same run", "every seed gives the same run", "bit for bit", is_met=False, is_check=True
        )
    return _compared("a seed gives the same run", first, second)


def neighbours(device: str, data: TrainingData, n: int) -> Row:
    """A training alone, and the same with others at its side, of other shapes too."""
    alone = _records(Training(candidate_of(), data, 1, device))
    others = [Training(_wider(i), data, 7 + i, device) for i in range(n - 1)]
    mine = Training(candidate_of(), data, 1, device)
    records = []
    while not mine.is_over:
        mine.start_epoch()
        train_side_by_side(others)
        records.append(mine.end_epoch())
    return _compared(f"a slot beside {n - 1} others", alone, _timeless(records))


def refill(device: str, data: TrainingData) -> Row:
    """A training in the middle of which another one ends and a third begins."""
    alone = _records(Training(candidate_of(epochs=3), data, 1, device))
    mine, records = Training(candidate_of(epochs=3), data, 1, device), []
    neighbour = Training(_wider(1), data, 9, device)
    for _ in range(3):
        mine.start_epoch()
        neighbour.start_epoch()
        neighbour.end_epoch()
        neighbour = Training(_wider(2), data, 10, device)  # captured while the other one runs
        records.append(mine.end_epoch())
    return _compared("a refill leaves the others alone", alone, _timeless(records))


def going_on(device: str, data: TrainingData) -> Row:
    """A training that is kept after an epoch and gone on with in another one."""
    whole = _records(Training(candidate_of(epochs=3), data, 1, device))
    first = Training(candidate_of(epochs=3), data, 1, device)
    first.start_epoch()
    first.end_epoch()
    second = Training(candidate_of(epochs=3), data, 1, device)
    second.restore(first.state())
    rest = _records(second)
    return _compared("a kept training goes on", whole[1:], rest)


def _wider(i: int) -> Candidate:
    """Another preset each time."""
    names = [name for name, preset in PRESETS.items() if preset.candidate.arch.params < 10_000]
    other = PRESETS[names[i % len(names)]].candidate
    return replace(other, recipe=replace(other.recipe, epochs=4))


def _few(data: TrainingData, n: int) -> TrainingData:
    train, evaluation = data.train, data.evaluation
    few = Images(train.pixels[:n], train.labels[:n])
    return TrainingData(few, Images(evaluation.pixels[:1000], evaluation.labels[:1000]), data.mean, data.std)


def _records(training: Training) -> list[EpochRecord]:
    return _timeless(list(training))


def _timeless(records: Sequence[EpochRecord]) -> list[EpochRecord]:
    return [replace(record, seconds=0.0, core_seconds=0.0) for record in records]


def _compared(what: str, first: Sequence[EpochRecord], second: Sequence[EpochRecord]) -> Row:
    if first == second:
        return Row(what, "the same bits", "bit for bit", is_met=True, is_check=True)
    apart = max(abs(a.train_loss - b.train_loss) for a, b in zip(first, second, strict=True))
    return Row(what, f"losses up to {apart:.1e} apart", "bit for bit", is_met=False, is_check=True)
