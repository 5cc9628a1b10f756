"""`MODEL_CARD.md`: what a network is for, how it was found and proven, what its files were measured to be, its limits.

The head is the metadata of a model card as hubs read it (model-index), so that the numbers can be listed by programs.
Source: Mitchell et al., Model Cards for Model Reporting, FAT* 2019.
"""

from collections.abc import Mapping
from typing import Any

import jinja2
import yaml

from search.measures import phrases, words
from search.measures.verdict import Verdict

_MOST_MISTAKES = 8
_LICENCES = {
    "mnist": "MNIST was made by Yann LeCun, Corinna Cortes and Christopher Burges from NIST's Special Databases 1 and "
    "3; it is commonly passed on under CC BY-SA 3.0",
    "fashion-mnist": "Fashion-MNIST is by Zalando SE, under the MIT licence",
    "kmnist": "KMNIST is by ROIS-DS Center for Open Data in the Humanities, under CC BY-SA 4.0",
    "digits": "the digits of scikit-learn are a copy of UCI's Optical Recognition of Handwritten Digits (Alpaydin and "
    "Kaynak), under CC BY 4.0",
}


def card_text(manifest: Mapping[str, Any]) -> str:
    """The card of a bundle, in Markdown, from the facts of its manifest."""
    loader = jinja2.PackageLoader("search.shipping")
    environment = jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update({name: getattr(words, name) for name in ("percent", "plural", "bytes_text")})
    environment.filters["percent"] = words.percent
    page = environment.get_template("card.md").render(
        m=manifest,
        v=manifest["verification"],
        source=manifest["source"],
        found=manifest["found"],
        arch=manifest["architecture"],
        of=manifest["trained_network"],
        mistakes=manifest["trained_network"]["mistakes"][:_MOST_MISTAKES],
        dataset=phrases.dataset_name(manifest["dataset"]),
        verdict=verdict_line(manifest),
        interval=phrases.interval,
        milliseconds=_milliseconds,
        licence=_LICENCES.get(manifest["dataset"]),
        data_files={one["file"] for one in manifest["measured"]},
    )
    head = yaml.safe_dump(_metadata(manifest), sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n{page.strip()}\n"


def verdict_line(manifest: Mapping[str, Any]) -> str:
    """Whether the network is proven, in a sentence."""
    summary = manifest["verification"]
    if summary is None:
        return (
            "Not verified: this is one training, and nobody has trained the candidate again with fresh seeds; other "
            "seeds may well come to less."
        )
    return phrases.verdict_text(summary)


def _metadata(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The head of the card: https://huggingface.co/docs/hub/model-cards#model-card-metadata."""
    dataset, summary = manifest["dataset"], manifest["verification"]
    results = [
        {"type": "accuracy", "name": f"{_whose(manifest)}, {one['file']} ({one['numbers']})", "value": one["accuracy"]}
        for one in manifest["measured"]
    ]
    if summary is not None:
        verdict = f"{Verdict(summary['verdict']).words} at {words.percent(summary['target'])}"
        name = f"Sustained test accuracy, mean of {summary['n_seeds']} seeds: {verdict}"
        results.insert(0, {"type": "accuracy", "name": name, "value": summary["sustained_accuracy"]})
    of_test = {"name": phrases.dataset_name(dataset), "type": dataset, "split": "test"}
    task = {"type": "image-classification", "name": "Image classification"}
    return {
        "library_name": "pytorch",
        "pipeline_tag": "image-classification",
        "tags": ["mnist-search", "tinyml", "onnx", "c99"],
        "datasets": [dataset],
        "metrics": ["accuracy"],
        "model-index": [
            {"name": manifest["name"], "results": [{"task": task, "dataset": of_test, "metrics": results}]}
        ],
    }


def _whose(manifest: Mapping[str, Any]) -> str:
    """Of what an accuracy is; the key `verified` is not ours to set: it means that a hub has run the model itself."""
    if manifest["verification"] is None:
        return "Test accuracy of one training, not verified"
    return f"Test accuracy of seed {manifest['source']['seed_number']}"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.3f}"
