"""`mnist-search show`: the layer table, the recipe and the curves of a candidate."""

import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import options
from search.measures.words import bytes_text, percent

if TYPE_CHECKING:
    from search.study.naming import Named

EXAMPLE = "Example: mnist-search show a-step5"


def command(
    what: options.What = options.ANSWER,
    check: Annotated[
        bool, typer.Option("--check", help="Count again with the built network and with fvcore, and compare.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    storage: options.Storage = options.STORAGE_DEFAULT,
    study: options.Study = None,
    json: options.Json = False,
) -> None:
    """Show a candidate layer by layer. Shapes, parameters, MACs, receptive field; its recipe and its curves."""
    from search.cli.lookup import find_study, find_what
    from search.cli.tables import print_json

    named = find_what(what, lambda: find_study(storage, study, for_reading=True))
    facts = _facts(named)
    if check:
        from models.recount import recount

        facts["recounted"] = recount(named.candidate.arch)
    if json:
        print_json(facts)
    else:
        _print(facts, markdown)


def _facts(named: "Named") -> dict[str, Any]:
    from models.layer_table import arch_facts, layer_facts
    from models.plain import recipe_to_dict
    from search.facts.study_facts import trial_facts
    from search.study.history import epochs_of_trial

    arch = named.candidate.arch
    facts: dict[str, Any] = {"name": named.label}
    if named.trial is not None:
        facts |= trial_facts(named.trial)
    facts |= {"candidate": named.candidate.id, **arch_facts(arch), "layers": layer_facts(arch)}
    facts |= {"recipe": recipe_to_dict(named.candidate.recipe), "curves": []}
    if named.study is not None and named.trial is not None:
        facts["curves"] = epochs_of_trial(named.study, named.trial)
    return facts


def _print(facts: dict[str, Any], markdown: bool) -> None:
    from search.cli.tables import print_markdown, print_table

    show_table = print_markdown if markdown else print_table
    heading = " ".join([facts["name"], _outcome(facts)]).strip()
    print(f"## {heading}\n" if markdown else heading)
    show_table(("#", "layer", "k", "s", "p", "in", "out", "params", "MACs", "RF"), _layer_rows(facts["layers"]))
    print(_totals(facts))
    print(textwrap.fill("recipe: " + ", ".join(_recipe_parts(facts["recipe"])), 80, initial_indent="\n"))
    if facts.get("trained_on"):
        print(textwrap.fill(f"trained on: {facts['trained_on']}", 80))
    if facts["curves"]:
        print()
        show_table(
            ("epoch", "train loss", "train acc.", "eval loss", "eval acc.", "lr", "s"), _curve_rows(facts["curves"])
        )
        _print_accuracy(facts)


def _totals(facts: dict[str, Any]) -> str:
    lines = [
        f"\n{facts['params']:,} parameters, {facts['macs']:,} MACs, receptive field {facts['receptive_field']};",
        f"weights {bytes_text(facts['weight_bytes_float32'])} in float32, {bytes_text(facts['weight_bytes_int8'])} "
        f"in int8; peak activations {bytes_text(facts['peak_activation_bytes'])}",
    ]
    lines += [f"counted again by {name}: {count}" for name, count in facts.get("recounted", {}).items()]
    return "\n".join(lines)


def _print_accuracy(facts: dict[str, Any]) -> None:
    if facts["sustained_accuracy"] is not None:
        print(f"\nsustained {percent(facts['sustained_accuracy'])}, best epoch {percent(facts['best_accuracy'])}")


def _outcome(facts: dict[str, Any]) -> str:
    if not facts.get("outcome"):
        return ""
    reason = f": {facts['reason']}" if facts.get("reason") else ""
    return f"{facts['outcome']}{reason}"


def _layer_rows(layers: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (
            row["number"],
            row["name"],
            row["kernel"],
            row["stride"],
            row["padding"],
            "x".join(map(str, row["input_shape"])),
            "x".join(map(str, row["output_shape"])),
            f"{row['params']:,}",
            f"{row['macs']:,}",
            row["receptive_field"],
        )
        for row in layers
    ]


def _recipe_parts(recipe: dict[str, Any]) -> list[str]:
    [(kind, values)] = recipe["schedule"].items()
    schedule = " ".join([kind, *(f"{key} {_short(value)}" for key, value in values.items())])
    shown = {key: value for key, value in recipe.items() if key != "schedule" and (value or key == "epochs")}
    return [*(f"{key.replace('_', ' ')} {_short(value)}" for key, value in shown.items()), f"schedule {schedule}"]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _curve_rows(curves: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (
            row["epoch"],
            _number(row["train_loss"], ".4f"),
            percent(row["train_accuracy"]),
            _number(row["eval_loss"], ".4f"),
            percent(row["eval_accuracy"]),
            _number(row["lr"], ".2g"),
            _number(row["seconds"], ".1f"),
        )
        for row in curves
    ]


def _number(value: float | None, form: str) -> str:
    """A number in a table; a dash where a copied study does not have it."""
    return "-" if value is None else format(value, form)
