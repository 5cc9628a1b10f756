"""The curves of a training as a picture."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from search.measures.words import percent

_TRAIN, _EVAL, _TARGET = "#e08a1e", "#3b82f6", "#0f9d6b"


def curves_png(epochs: Sequence[Mapping[str, Any]], target: float, title: str) -> bytes:
    """Accuracy and loss after each epoch as a PNG of 900x380 pixels.

    `epochs` are records as `storage.epochs` gives them, at least one.
    """
    file = io.BytesIO()
    curves_figure(epochs, target, title).savefig(file, format="png")
    return file.getvalue()


def curves_figure(epochs: Sequence[Mapping[str, Any]], target: float, title: str) -> Figure:
    """The picture as a figure of matplotlib."""
    figure = Figure(figsize=(9, 3.8), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)  # not pyplot's: its figures belong to one thread
    accuracy, loss = figure.subplots(1, 2)
    for key, name, colour in (("train", "training", _TRAIN), ("eval", "evaluation", _EVAL)):
        style = {"color": colour, "label": name, "marker": "o", "markersize": 3}
        accuracy.plot(*_known(epochs, f"{key}_accuracy", 100), **style)
        loss.plot(*_known(epochs, f"{key}_loss"), **style)
    accuracy.axhline(100 * target, color=_TARGET, linestyle="--", linewidth=1, label=f"target {percent(target)}")
    best = max(record["eval_accuracy"] for record in epochs)
    accuracy.set_title(f"accuracy in percent (best {percent(best)})", fontsize=10)
    # The first epochs would push all that counts into one line.
    worst = min(record["eval_accuracy"] for record in epochs)
    accuracy.set_ylim(bottom=100 * max(worst, min(best, target) - 0.03) - 0.1, top=min(100.0, accuracy.get_ylim()[1]))
    loss.set_title("loss (cross-entropy)", fontsize=10)
    loss.set_yscale("log")
    for axes in (accuracy, loss):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.suptitle(title, fontsize=11)
    return figure


def _known(epochs: Sequence[Mapping[str, Any]], key: str, scale: float = 1) -> tuple[list[int], list[float]]:
    """Epochs and values, as far as these are known: a copied study has none of most."""
    known = [record for record in epochs if record[key] is not None]
    return [record["epoch"] for record in known], [scale * record[key] for record in known]
