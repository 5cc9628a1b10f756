"""The layer table and its totals as plain data."""

from typing import Any

from models.arch import ArchSpec, LayerFacts
from models.layers import Conv, Skip


def layer_facts(arch: ArchSpec) -> list[dict[str, Any]]:
    """The rows of the layer table. Shapes are [C, H, W] of one image."""
    return [_layer_facts(number, row) for number, row in enumerate(arch.facts, 1)]


def arch_facts(arch: ArchSpec) -> dict[str, Any]:
    """The totals of the layer table. Activations are float32, one image; weights include BatchNorm's."""
    return {
        "params": arch.params,
        "macs": arch.macs,
        "receptive_field": arch.receptive_field,
        "peak_activation_bytes": 4 * arch.peak_activations,
        "weight_bytes_float32": 4 * arch.params,
        "weight_bytes_int8": arch.params,
    }


def _layer_facts(number: int, row: LayerFacts) -> dict[str, Any]:
    layer = row.layer
    return {
        "number": number,
        "layer": layer.kind,
        "name": _name(number, row),
        "then": list(layer.then) if isinstance(layer, Conv) else [],
        "kernel": row.kernel,
        "stride": row.stride,
        "padding": row.padding,
        "groups": layer.groups if isinstance(layer, Conv) else 1,
        "input_shape": list(row.input_shape),
        "output_shape": list(row.output_shape),
        "params": row.params,
        "macs": row.macs,
        "receptive_field": row.receptive_field,
    }


def _name(number: int, row: LayerFacts) -> str:
    """The layer in words, with what follows it in place: `depthwise conv bn relu`."""
    layer = row.layer
    if not isinstance(layer, Conv):
        return layer.text() if isinstance(layer, Skip) else layer.kind
    kind = layer.kind
    if layer.groups > 1:
        kind = f"depthwise {kind}" if layer.groups == row.input_shape[0] else f"{kind} in {layer.groups} groups"
    shared = [f"(weights of {number - layer.shares})"] if layer.shares else []
    return " ".join([kind, *layer.then, *shared])
