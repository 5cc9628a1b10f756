"""Random architectures, recipes and candidates, for the property tests."""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from models.arch import INPUT_SHAPE, ArchSpec
from models.candidate import Candidate
from models.layers import ACTIVATIONS, NORMS, AvgPool, Conv, Dropout, Gap, Layer, MaxPool, Shape, Skip
from models.reach import reach_fault
from models.recipe import OPTIMIZERS, Recipe
from models.schedules import Constant, Cosine, MultiStep, OneCycle, Plateau, Schedule, Step
from models.template import CONVOLUTIONS, DROPOUT_PLACES, HEADS, ORDERS, POOL_PLACES, TRANSITION_PLACES, Template

LARGEST_KERNEL = 11
LARGEST_STRIDE = 3
LARGEST_PADDING = 3


def templates(max_width: int = 32) -> SearchStrategy[Template]:
    """Points of the template's family."""
    width, depth = st.integers(1, max_width), st.integers(1, 4)
    widths = st.lists(width, min_size=1, max_size=4).map(tuple) | st.builds(lambda w, d: (w,) * d, width, depth)
    return st.builds(
        Template,
        stem=widths,
        transition=st.integers(1, max_width),
        body=widths,
        stem_kernel=st.sampled_from([3, 5]),
        transition_place=st.sampled_from(TRANSITION_PLACES),
        second_pool_after=st.integers(0, 4),
        n_expansions=st.integers(0, 4),
        expansion=st.integers(1, max_width),
        order=st.sampled_from(ORDERS),
        head=st.sampled_from(HEADS),
        hidden=st.integers(1, max_width),
        dropout_place=st.sampled_from(DROPOUT_PLACES),
        norm=st.sampled_from(NORMS),
        activation=st.sampled_from(ACTIVATIONS),
        pool_place=st.sampled_from(POOL_PLACES),
        convolution=st.sampled_from(CONVOLUTIONS),
        skips=st.booleans(),
        body_repeats=st.integers(1, 3),
    )


@st.composite
def free_architectures(draw: DrawFn, max_width: int = 24, max_layers: int = 6) -> ArchSpec:
    """Layers in any order that fits, with padding, strides, groups, biases and large kernels, then a head."""
    layers: list[Layer] = []
    shapes = [INPUT_SHAPE]
    for _ in range(draw(st.integers(0, max_layers))):
        reaching: list[Layer] = [
            Skip(back) for back in range(1, len(layers) + 1) if _reaches((*layers, Skip(back)), shapes)
        ]
        reaching += [conv for conv in _sharing(layers, shapes) if _reaches((*layers, conv), shapes)]
        plain = _convolutions(shapes[-1], max_width) | _others(shapes[-1])
        layers.append(draw(st.sampled_from(reaching) | plain if reaching else plain))
        shapes.append(layers[-1].output_shape(shapes[-1]))
    return ArchSpec((*layers, *draw(_heads(shapes[-1][1]))))


def _sharing(layers: list[Layer], shapes: list[Shape]) -> list[Conv]:
    """A convolution with the weights of each that there is, whether they fit or not."""
    owners = [(len(layers) - i, x) for i, x in enumerate(layers) if isinstance(x, Conv)]
    return [replace(x, stride=1, padding=x.kernel // 2, then=("prelu", "bn"), shares=back) for back, x in owners]


def _reaches(layers: tuple[Layer, ...], shapes: list[Shape]) -> bool:
    return reach_fault(layers, shapes) is None


def architectures(max_width: int = 24) -> SearchStrategy[ArchSpec]:
    """Both kinds: points of the template's family, and free ones."""
    return templates(max_width).map(Template.arch) | free_architectures(max_width)


def followers() -> SearchStrategy[tuple[str, ...]]:
    """What may stand after a convolution: some of the steps, in any order."""
    one_of_each = st.tuples(st.sampled_from(NORMS), st.sampled_from(ACTIVATIONS), st.just("dropout"))
    return one_of_each.flatmap(lambda ops: st.lists(st.sampled_from(ops), unique=True)).map(tuple)


@st.composite
def _convolutions(draw: DrawFn, shape: Shape, max_width: int) -> Conv:
    C, H, _ = shape
    padding = draw(st.integers(0, LARGEST_PADDING))
    groups = draw(st.sampled_from([d for d in range(1, C + 1) if C % d == 0]))
    return Conv(
        out=groups * draw(st.integers(1, max(1, max_width // groups))),
        kernel=draw(st.integers(1, min(H + 2 * padding, LARGEST_KERNEL))),
        stride=draw(st.integers(1, LARGEST_STRIDE)),
        padding=padding,
        bias=draw(st.booleans()),
        groups=groups,
        then=draw(followers()),
    )


def _others(shape: Shape) -> SearchStrategy[Layer]:
    kernels = st.integers(1, min(shape[1], 4))
    return st.one_of(st.builds(MaxPool, kernels), st.builds(AvgPool, kernels), st.just(Dropout()))


def _heads(size: int) -> SearchStrategy[tuple[Layer, ...]]:
    kernels = st.integers(1, min(size, 3))
    return st.one_of(
        st.just((Gap(), Conv(10, 1, then=()))),
        kernels.map(lambda kernel: (Conv(10, kernel, then=()), Gap())),
        st.just((Conv(10, 1, bias=True, then=()), AvgPool(size))),
        st.just((Conv(10, size, then=()),)),
    )


def schedules() -> SearchStrategy[Schedule]:
    """Every schedule, with valid values."""
    shares = st.floats(0, 1, exclude_min=True, exclude_max=True)
    divisors = st.floats(1, 1e6)
    milestones = st.sets(st.integers(1, 50), min_size=1, max_size=4).map(lambda epochs: tuple(sorted(epochs)))
    return st.one_of(
        st.just(Constant()),
        st.builds(Step, st.integers(1, 50), shares),
        st.builds(MultiStep, milestones, shares),
        st.builds(OneCycle, shares, divisors, divisors),
        st.builds(Cosine, st.integers(0, 50)),
        st.builds(Plateau, shares, st.integers(0, 50)),
    )


def recipes() -> SearchStrategy[Recipe]:
    """Recipes with valid values."""
    shares = st.floats(0, 0.5)
    return st.builds(
        Recipe,
        epochs=st.integers(1, 10_000),
        batch_size=st.integers(1, 60_000),
        optimizer=st.sampled_from(OPTIMIZERS),
        lr=st.floats(1e-6, 100),
        momentum=shares,
        nesterov=st.booleans(),
        weight_decay=shares,
        schedule=schedules(),
        dropout=shares,
        rotation_degrees=st.floats(0, 180),
        translation_share=shares,
        scale_share=shares,
        shear_degrees=st.floats(0, 60),
        fade_share=st.floats(0, 1),
        statistics_images=st.integers(0, 60_000),
        brightness=shares,
        contrast=shares,
        fill=st.integers(0, 255),
        label_smoothing=shares,
        ema_decay=shares,
    )


def candidates() -> SearchStrategy[Candidate]:
    """Architectures of both kinds with any recipe."""
    return st.builds(Candidate, architectures(), recipes())
