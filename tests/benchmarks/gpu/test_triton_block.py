"""The Triton block, interpreted, against torch's own operations: the kernels' arithmetic, not their speed."""

import math
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from itertools import combinations

import pytest
import torch
from torch.nn.functional import batch_norm, max_pool2d, relu

from tests.helpers.interpreting import ROOT, Case, Result, interpreted, norm_of
from tests.helpers.kernels import assert_all_close

# Slow: a prototype's proof, whose interpreter takes ten seconds in each process of the tests.
pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("triton") is None, reason="no Triton here")]

# Odd sides, a single channel, more channels than a power of two, and the last one in several tiles.
SHAPES = [(2, 5, 6, 7), (3, 1, 5, 4), (4, 12, 7, 5)]
SHARE = 0.25
PLAIN = {
    f"{'x'.join(map(str, shape))}-{'pool' if pools else 'flat'}-{str(dtype)[6:]}": (shape, pools, dtype)
    for shape in SHAPES
    for pools in (False, True)
    for dtype in (torch.float32, torch.bfloat16)
    if dtype == torch.float32 or shape[1] > 5
}
CORNERS = [(0, 0), (0, 1), (1, 0), (1, 1)]
KINDS = ["flat", "pool"]


def _case(shape: tuple[int, int, int, int], pools: bool, dtype: torch.dtype = torch.float32) -> Case:
    B, C, H, W = shape
    torch.manual_seed(B * H * W)
    x = torch.randn(shape).mul(2).add(0.5).to(dtype)
    size = (B, C, H // 2, W // 2) if pools else shape
    upstream = (0.5 + torch.arange(math.prod(size)).cos()).view(size).to(dtype)
    return Case(x, upstream, torch.randn(C), torch.randn(C), pools)


def _dropped(pools: bool) -> Case:
    return replace(_case((4, 6, 16, 12), pools), p=SHARE, seed=12345678901, tile=1024, gamma=torch.full((6,), 1.5))


def _mask_readers() -> dict[str, Case]:
    """Blocks whose output is dropout's factors. In a pooled one a single corner of each window passes the ReLU."""
    flat, pool = _dropped(False), _dropped(True)
    lit = {corner: torch.zeros_like(pool.x) for corner in CORNERS}
    for (i, j), x in lit.items():
        x[:, :, i::2, j::2] = 1
    zeros = torch.zeros(6)
    readers = {f"mask-pool-{corner}": replace(pool, x=x, beta=zeros) for corner, x in lit.items()}
    readers["mask-flat"] = replace(flat, beta=zeros + 100)
    return readers


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    made = {name: _case(*how) for name, how in PLAIN.items()}
    made |= {f"dropout-{kind}": _dropped(kind == "pool") for kind in KINDS}
    made["another-seed"] = replace(_dropped(False), seed=12345678902)
    made["none-dropped"] = replace(_dropped(False), p=0.0)
    still = replace(_case((4, 6, 16, 12), False), tile=1024)
    made["no-dropout"] = replace(_dropped(False), p=None)
    made["large-mean"] = replace(still, x=still.x + 3000)
    made["dead"] = replace(still, x=torch.zeros_like(still.x), beta=torch.zeros(6))
    for pools in (False, True):
        bad = _case((2, 3, 4, 4), pools)
        bad.x[1, 1, 2, 3] = math.nan
        made[f"nan-{pools}"] = bad
    return made | _mask_readers()


@pytest.fixture(scope="module")
def results(cases: dict[str, Case], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    return interpreted(cases, tmp_path_factory.mktemp("interpreted"))


def _by_torch(case: Case, factors: torch.Tensor | float = 1.0) -> Result:
    """What it should be, in float32 whatever the format of x."""
    norm, x = norm_of(case), case.x.float().requires_grad_()
    y = relu(batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, True)) * factors
    y = max_pool2d(y, 2) if case.pools else y
    dx, dgamma, dbeta = torch.autograd.grad(y, [x, norm.weight, norm.bias], case.upstream.float())
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return Result(y.detach(), dx, dgamma, dbeta, norm.running_mean, norm.running_var)


def _assert_agree(ours: Result, theirs: Result, share: float) -> None:
    gradients = [[r.dx.float(), r.dgamma, r.dbeta] for r in (ours, theirs)]
    assert_all_close((ours.y.float(), gradients[0]), (theirs.y, gradients[1]), share)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)


@pytest.mark.parametrize("name", PLAIN)
def test_agrees_with_torch(name: str, cases: dict[str, Case], results: dict[str, Result]) -> None:
    case, ours = cases[name], results[name]
    assert ours.y.dtype == ours.dx.dtype == case.x.dtype
    assert ours.y.is_contiguous(memory_format=torch.channels_last)
    _assert_agree(ours, _by_torch(case), 2e-5 if case.x.dtype == torch.float32 else 2e-2)


def _factors(kind: str, cases: dict[str, Case], results: dict[str, Result]) -> torch.Tensor:
    """What dropout multiplied each value by, read off the blocks made for it."""
    if kind == "flat":
        readers = replace(cases["mask-flat"], p=None)
        return results["mask-flat"].y / _by_torch(readers).y
    factors = torch.zeros_like(cases["dropout-pool"].x)
    for i, j in CORNERS:
        name = f"mask-pool-{(i, j)}"
        factors[:, :, i::2, j::2] = results[name].y / _by_torch(cases[name]).y
    return factors


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_drops_its_share_and_scales_the_rest(
    kind: str, cases: dict[str, Case], results: dict[str, Result]
) -> None:
    factors = _factors(kind, cases, results)
    n, n_dropped = factors.numel(), int((factors == 0).sum())
    assert abs(n_dropped - n * SHARE) < 5 * math.sqrt(n * SHARE * (1 - SHARE))
    kept = factors[factors != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - SHARE)), rtol=1e-5, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_is_even_over_channels_places_and_neighbours(
    kind: str, cases: dict[str, Case], results: dict[str, Result]
) -> None:
    dropped = (_factors(kind, cases, results) == 0).float()
    for dims in [(0, 2, 3), (1, 2, 3), (0, 1, 3), (0, 1, 2)]:
        share = dropped.mean(dims)
        n = dropped.numel() / len(share)
        assert (share - SHARE).abs().max() < 5 * math.sqrt(SHARE * (1 - SHARE) / n)
    corners = [dropped[:, :, i::2, j::2] for i, j in CORNERS]
    pixels = [part.permute(0, 2, 3, 1).flatten() for part in ([dropped] if kind == "flat" else corners)]
    # A pixel, a quarter of a tile and a tile apart.
    lags = [(values[lag:], values[:-lag]) for values in pixels for lag in (1, 6, 6 * 128, 6 * 512) if lag < len(values)]
    for a, b in [*combinations(corners, 2), *lags]:
        both = SHARE**2
        assert abs((a * b).mean() - both) < 5 * math.sqrt(both * (1 - both) / a.numel())


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_is_the_same_backward(kind: str, cases: dict[str, Case], results: dict[str, Result]) -> None:
    """And follows from the seed alone: it was read off other blocks than this one."""
    name = f"dropout-{kind}"
    _assert_agree(results[name], _by_torch(cases[name], _factors(kind, cases, results)), 2e-5)


def test_another_seed_drops_others(results: dict[str, Result]) -> None:
    first, second, none = (results[name].y for name in ("dropout-flat", "another-seed", "no-dropout"))
    assert 0.2 < ((first == 0) != (second == 0))[none > 0].float().mean() < 0.55  # 2 * .25 * .75 of two that differ


def test_a_share_of_zero_is_no_dropout(results: dict[str, Result]) -> None:
    assert torch.equal(results["none-dropped"].y, results["no-dropout"].y)
    assert torch.equal(results["none-dropped"].dx, results["no-dropout"].dx)


def test_statistics_survive_a_large_mean(cases: dict[str, Case], results: dict[str, Result]) -> None:
    case = cases["large-mean"]
    x = case.x.double()
    z = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    y = relu(z * case.gamma.view(1, -1, 1, 1) + case.beta.view(1, -1, 1, 1))
    torch.testing.assert_close(results["large-mean"].y.double(), y, rtol=1e-3, atol=1e-3)


def test_a_dead_channel_learns_what_torch_lets_it_learn(cases: dict[str, Case], results: dict[str, Result]) -> None:
    _assert_agree(results["dead"], _by_torch(cases["dead"]), 2e-5)


@pytest.mark.parametrize("pools", [False, True])
def test_what_is_not_a_number_stays_so(pools: bool, results: dict[str, Result]) -> None:
    result = results[f"nan-{pools}"]
    for values in (result.y.movedim(1, 0).flatten(1), result.dx.movedim(1, 0).flatten(1)):
        assert values.isnan().any(1).tolist() == [False, True, False]


def test_triton_is_imported_at_first_use() -> None:
    code = "import sys, benchmarks.gpu.triton_block; assert 'triton' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_measures_on_a_cpu_too() -> None:
    code = "from benchmarks.gpu.triton_block import measure; print(sorted(measure((2, 3, 4, 4), 'cpu', True)))"
    command = ["env", "TRITON_INTERPRET=1", sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "['torch', 'triton']\n"
