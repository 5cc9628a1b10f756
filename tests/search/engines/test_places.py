"""Where workers run, as far as it can be said without a cluster."""

import pytest

from models.errors import MnistSearchError
from search.engines.places import Place, here, on_ray


def test_this_machine_has_a_worker_for_each_that_is_asked_for() -> None:
    assert here("cpu", 3) == Place("cpu", ["cpu"] * 3)
    assert here("cpu", 3).described is None


@pytest.mark.parametrize("device", ["mps", "tpu"])
def test_ray_knows_no_such_device(device: str) -> None:
    with pytest.raises(MnistSearchError, match=rf"^no device '{device}' with --engine ray: use auto, cpu or cuda$"):
        on_ray(device, None, None, None)


@pytest.mark.parametrize("share", [-0.5, 1.5, float("nan"), float("inf")])
def test_a_share_of_a_gpu_is_a_share(share: float) -> None:
    with pytest.raises(MnistSearchError, match=r"^--gpus-per-worker .+: use a number from 0 to 1, such as 0.25$"):
        on_ray("cuda", None, None, share)


def test_a_worker_on_a_gpu_needs_a_share_of_it() -> None:
    with pytest.raises(MnistSearchError, match=r"^--gpus-per-worker 0: a worker on a GPU needs a share of it"):
        on_ray("cuda", 1, None, 0.0)
