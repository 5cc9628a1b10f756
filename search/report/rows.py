"""The tables of the report as lists of cells: settings, outcomes, layers, the sources' networks, public records."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from models.arch import ArchSpec, shape_text
from models.layer_table import layer_facts
from models.plain import recipe_to_dict
from models.presets import KNOWN, OURS
from models.presets.measured import held_of, measured_preset
from models.recipe import Recipe
from search.measures.objective import is_held
from search.measures.phrases import interval, judges, spread
from search.measures.verdict import Verdict
from search.measures.words import count_text, percent, plural, points, seconds_text
from search.report.records import RECORDS, reported_accuracy
from search.report.winner import Winner
from search.study import attributes
from search.study.outcomes import REPORTED, Outcome
from search.study.settings import SMALLEST, StudySettings
from search.study.study import SearchStudy
from search.verification.summary import accuracies_of, sustained_of

_MEANING = {
    Outcome.TRAINED: "trained to the end",
    Outcome.PRUNED: "stopped early by the pruner: it lagged behind the median of the others",
    Outcome.REJECTED: "over the budget: counted exactly, never trained",
    Outcome.DIVERGED: "the loss was no longer a finite number",
    Outcome.FAILED: "ended by a fault that was not the candidate's",
}


@dataclass(frozen=True)
class Rows:
    """A table: the first `n_words` columns are words, the others numbers; `marked` are the rows to stand out."""

    columns: Sequence[str]
    cells: Sequence[Sequence[Any]]
    n_words: int = 1
    marked: set[int] = field(default_factory=set)


def outcome_rows(study: SearchStudy) -> Rows:
    """How the trials ended."""
    counts, meaning = study.counts(), dict(_MEANING)
    if study.settings.find == SMALLEST:
        meaning[Outcome.PRUNED] += ", or was too large once another had cleared the target"
    return Rows(
        ("outcome", "what it means", "trials"),
        [(outcome, meaning[outcome], count_text(counts[outcome])) for outcome in REPORTED],
        n_words=2,
    )


def front_rows(front: Sequence[dict[str, Any]]) -> Rows:
    """The networks that no smaller one beats, from the smallest up; as `study_facts` tells of them."""
    cells = [(one["name"], count_text(one["params"]), percent(one["sustained_accuracy"])) for one in front]
    return Rows(("network", "parameters", "sustained, one training"), cells)


def cost_rows(facts: dict[str, Any]) -> Rows:
    """What the search took, until when; `facts` are those of `search/facts/cost.py`."""
    cells = [
        (name, seconds_text(facts[f"seconds{part}"]), seconds_text(facts[f"core_seconds{part}"]))
        for name, part in (
            ("to the first trial at the target", "_to_target"),
            ("to the first verified candidate, verifications included", "_to_verified"),
            ("the whole search", ""),
        )
    ]
    return Rows(("what it took", "active time", "processor time of the trainings"), cells)


def range_rows(settings: StudySettings) -> Rows:
    """What was searched."""
    return Rows(("value", "range"), [(name.replace("_", " "), text) for name, text in settings.space.items()], 2)


def layer_rows(arch: ArchSpec) -> Rows:
    """The layers of a network."""
    columns = ("layer", "kernel", "stride", "padding", "input", "output", "parameters", "MACs", "receptive field")
    cells = [
        (
            f"{row['number']}. {row['name']}",  # what a shared or skipping layer refers to
            row["kernel"],
            row["stride"],
            row["padding"],
            shape_text(row["input_shape"]),
            shape_text(row["output_shape"]),
            count_text(row["params"]),
            count_text(row["macs"]),
            row["receptive_field"],
        )
        for row in layer_facts(arch)
    ]
    return Rows(columns, cells)


def recipe_rows(recipe: Recipe) -> Rows:
    """How a network is trained; what is off is left out."""
    plain = recipe_to_dict(recipe)
    [(kind, values)] = plain.pop("schedule").items()
    schedule = ", ".join([kind, *(f"{key.replace('_', ' ')} {_short(value)}" for key, value in values.items())])
    cells = [(key.replace("_", " "), _short(value)) for key, value in plain.items() if value]
    return Rows(("value", "of the winner"), [*cells, ("schedule", schedule)], 2)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def seed_rows(study: SearchStudy, winner: Winner) -> Rows:
    """The verification, seed by seed, and what it comes to."""
    assert winner.verified is not None
    s = winner.verified.summary
    cells = [_seed_cells(study.settings, run) for run in winner.verified.runs]
    mean, held = f"{percent(s['sustained_accuracy'])}{spread(s['deviation'])}", f"{s['n_held']} of {s['n_seeds']}"
    cells.append(("mean ± sd", "", mean, "", percent(winner.train_accuracy), points(winner.gap), held, ""))
    columns = ("training", "seed", "sustained", "best epoch", "training accuracy", "gap, points", "held", "time")
    return Rows(columns, cells, marked={len(cells) - 1})


def _seed_cells(settings: StudySettings, run: dict[str, Any]) -> Sequence[Any]:
    name = f"seed {run['seed_number']}"
    if run["diverged"]:
        return (name, run["seed"], f"diverged in epoch {run['diverged']}", "-", "-", "-", "no", "-")
    return (
        name,
        run["seed"],
        percent(sustained_of(run, settings.sustain)),
        percent(run["best_accuracy"]),
        percent(run["train_accuracy"]),
        points(run["gap"]),
        _yes_no(is_held(accuracies_of(run), settings.sustain, settings.target)),
        seconds_text(run["seconds"]),
    )


def held_text(winner: Winner) -> str:
    """The share of seeds that held the target, with its interval."""
    assert winner.verified is not None
    s = winner.verified.summary
    return (
        f"{s['n_held']} of {s['n_seeds']} runs held the target; 95% interval of that share (Wilson): "
        f"{interval(s['held_interval'])}."
    )


def arm_rows(arms: Sequence[dict[str, Any]]) -> Rows:
    """The studies that asked the same question, as `compare_studies` tells of them."""
    columns = ("study", "sampler", "pruner", "past the gate", "trained", "pruned", "rejected", "best sustained",
               "its parameters", "smallest at target", "active time")  # fmt: skip
    counts = ("n_past_gate", "trained", "pruned", "rejected")
    cells = [
        (
            *(arm[key] for key in ("study", "sampler", "pruner")),
            *(count_text(arm[key]) for key in counts),
            percent(arm["sustained_accuracy"]),
            count_text(arm["params"]),
            count_text(arm["smallest_params"]),
            seconds_text(arm["seconds"]),
        )
        for arm in arms
    ]
    return Rows(columns, cells, n_words=3, marked={0})


def preset_rows(settings: StudySettings, winner: Winner | None) -> Rows:
    """The sources' networks, ours and the winner, the fewest parameters first."""
    entries = [(preset.reported_params, _preset_cells(name)) for name, preset in KNOWN.items()]
    own = _winner_cells(settings, winner) if winner else None
    if winner and own:
        entries.append((winner.params, own))
    cells = [row for _, row in sorted(entries, key=lambda entry: entry[0])]
    columns = ("network", "source", "parameters", "MACs", "receptive field", "reported", "best reported",
               "ours, sustained", "ours, best", "ours, gap", "held")  # fmt: skip
    return Rows(columns, cells, n_words=2, marked={i for i, row in enumerate(cells) if row is own})


def _preset_cells(name: str) -> Sequence[Any]:
    preset, is_ours = KNOWN[name], name in OURS
    ours = measured_preset(name) or {}
    return (
        name,
        preset.source,
        count_text(preset.arch.params),
        count_text(preset.arch.macs),
        preset.arch.receptive_field,
        percent(None if is_ours else reported_accuracy(preset)),
        percent(None if is_ours else preset.reported_best),
        percent(ours.get("sustained_accuracy")),
        percent(ours.get("best_accuracy")),
        points(ours.get("gap")),
        held_of(ours),
    )


def _winner_cells(settings: StudySettings, winner: Winner) -> Sequence[Any]:
    arch = winner.candidate.arch
    if winner.verified:
        s = winner.verified.summary
        verdict, held = Verdict(s["verdict"]).words, f"{s['n_held']} of {s['n_seeds']}"
        source = f"this study, {plural(s['n_seeds'], 'seed')}, test images: {verdict}"
        accuracy = f"{percent(winner.accuracy)}{spread(s['deviation'])}"
    else:
        source = f"this study, one training, {judges(settings.split)}"
        accuracy, held = percent(winner.accuracy), _yes_no(winner.trial.user_attrs.get(attributes.HELD))
    best = percent(winner.best_epoch_accuracy)
    return (f"the winner (trial {winner.trial.number})", source, count_text(arch.params), count_text(arch.macs),
            arch.receptive_field, "-", "-", accuracy, best, points(winner.gap), held)  # fmt: skip


def _yes_no(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "-"}[value]


def record_rows() -> Rows:
    """What others have published."""
    cells = [(r.title, r.who, r.note, count_text(r.params), percent(r.accuracy)) for r in RECORDS]
    return Rows(("record", "where", "of what", "parameters", "accuracy"), cells, n_words=3)
