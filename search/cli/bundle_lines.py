"""What is printed of a bundle that was made or checked."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from search.cli.tables import print_json, print_table
from search.measures.words import bytes_text, percent, plural

if TYPE_CHECKING:
    from trainer.bundle.check import Checked

_COLUMNS = 80


def print_bundle(manifest: Mapping[str, Any], folder: Path, as_json: bool) -> None:
    """A bundle that was made, on stdout."""
    if as_json:
        print_json({"folder": str(folder), **manifest})
        return
    from search.shipping.card import verdict_line

    of, files = manifest["trained_network"], manifest["files"]
    params = f"{manifest['architecture']['params']:,} parameters"
    right = f"{percent(of['accuracy'])} of {of['n_images']:,} test images of {manifest['dataset']} right"
    print(f"{manifest['name']}: {params}, {right}")
    print(fill(verdict_line(manifest), _COLUMNS))
    print(_whose(manifest["source"]))
    print()
    print_table(("file", "numbers", "size", "right", "other answers", "ms an image"), _rows(manifest))
    print()
    others = [name for name in files if name not in {one["file"] for one in manifest["measured"]}]
    size = sum(facts["size_bytes"] for facts in files.values())
    print(fill(f"{folder}: {bytes_text(size)} in all, with {_listed([*others, 'manifest.json'])}", _COLUMNS))
    for reason, names in _by_reason(manifest["left_out"]).items():
        print(f"left out: {_listed(names)}; {reason}")


def _whose(source: Mapping[str, Any]) -> str:
    if source["kind"] == "verification":
        return f"seed {source['seed_number']} of {source['n_seeds']}, {source['chosen_as']}"
    return "the network of the search itself" if source["kind"] == "trial" else f"trained once, seed {source['seed']}"


def _rows(manifest: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            one["file"], one["numbers"], bytes_text(manifest["files"][one["file"]]["size_bytes"]),
            percent(one["accuracy"]), f"{one['n_different']:,}", f"{1000 * one['latency_seconds']:.3f}",
        )
        for one in manifest["measured"]
    ]  # fmt: skip


def print_checked(checked: "Checked", folder: Path, as_json: bool) -> None:
    """A bundle in which no fault was found, on stdout."""
    forms: list[dict[str, Any]] = [
        {"file": form.file, "numbers": form.numbers, "accuracy": accuracy}
        for form, accuracy in checked.accuracies.items()
    ]
    not_run = {form.text: reason for form, reason in checked.not_run.items()}
    name, dataset = checked.manifest["name"], checked.manifest["dataset"]
    if as_json:
        counts = {"n_files": checked.n_files, "n_vectors": checked.n_vectors}
        print_json(
            {"folder": str(folder), "name": name, **counts, "forms": forms, "not_run": not_run, "added": checked.added}
        )
        return
    print(f"{folder}: {name}, {plural(checked.n_files, 'file')} as they were written")
    for one in forms:
        right = f"{percent(one['accuracy'])} of the test images" if one["accuracy"] is not None else ""
        print(f"  {one['file']:<20} {one['numbers']:<8} {checked.n_vectors} test vectors as expected  {right}".rstrip())
    if any(one["accuracy"] is None for one in forms):
        print(f"accuracy not measured: the images of {dataset} are not at hand, name their folder with --data-dir")
    if checked.added:
        print(f"there too, and no part of it: {_listed(checked.added)}")
    for reason, names in _by_reason(not_run).items():
        print(f"not run: {_listed(names)}; {reason}")


def _by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    return {reason: [name for name, why in reasons.items() if why == reason] for reason in reasons.values()}


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
