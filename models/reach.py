"""What layers that reach back ask of those before them."""

from collections.abc import Sequence

from models.layers import Conv, Layer, Shape, Skip


def reach_fault(layers: Sequence[Layer], shapes: Sequence[Shape]) -> str | None:
    """Why the last of these layers cannot reach back as it does, or None. `shapes` are what comes into each."""
    layer = layers[-1]
    match layer:
        case Skip():
            return _skip_fault(layer, layers, shapes)
        case Conv(shares=shares) if shares:
            return _sharing_fault(layer, layers, shapes)
    return None


def _skip_fault(skip: Skip, layers: Sequence[Layer], shapes: Sequence[Shape]) -> str | None:
    n_before = len(layers) - 1
    if skip.back > n_before:
        return f"back is {skip.back}, and there are {n_before} layers before it"
    span = list(zip(layers, shapes, strict=True))[n_before - skip.back : n_before]
    for layer, shape in span:
        if isinstance(layer, Skip):
            return "it goes around another skip: let it go around less"
        if layer.window(shape)[1] != 1:
            return f"it goes around {layer.text()}, which changes the scale of the map: let it go around less"
    lost = shapes[n_before - skip.back][1] - shapes[n_before][1]
    if lost < 0 or lost % 2:
        return f"the map's side changes by {-lost:+d} between: it may lose an even number of pixels"
    return None


def _sharing_fault(conv: Conv, layers: Sequence[Layer], shapes: Sequence[Shape]) -> str | None:
    number = len(layers) - conv.shares
    if number < 1:
        return f"shares is {conv.shares}, and there are {len(layers) - 1} layers before it"
    owner = layers[number - 1]
    if not isinstance(owner, Conv):
        return f"shares is {conv.shares}, and layer {number} is {owner.text()}: name a convolution"
    if owner.shares:
        return f"layer {number} has no weights of its own: share those of layer {number - owner.shares}"
    if _shape_of_weights(conv, shapes[-1]) != _shape_of_weights(owner, shapes[number - 1]):
        return f"input channels, out, kernel, groups and bias must be those of layer {number}"
    return None


def _shape_of_weights(conv: Conv, shape: Shape) -> tuple[int, ...]:
    return shape[0], conv.out, conv.kernel, conv.groups, conv.bias


def fault_at_the_end(layers: Sequence[Layer]) -> str | None:
    """Why these layers together may not reach back as they do, or None."""
    last_conv = max((i for i, layer in enumerate(layers, 1) if isinstance(layer, Conv)), default=0)
    late = next((i for i, layer in enumerate(layers, 1) if isinstance(layer, Skip) and i > last_conv), None)
    return f"layer {late} ({layers[late - 1].text()}): no convolution comes after it, and one must" if late else None
