"""Rotating, moving and scaling a batch of images straight from the data set's bytes, in one pass."""

import ctypes
from functools import cache

import torch
from torch.nn.functional import affine_grid, grid_sample

from trainer.fused.kernels import load_kernels

_BAD_INDEX = 2


class _Sampling(ctypes.Structure):
    """`Sampling` of sampling.c, field by field."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("n_images", "batch", "height", "width")),
        *((name, ctypes.c_float) for name in ("fill", "scale", "shift")),
    )


def sample(
    pixels: torch.Tensor, index: torch.Tensor, theta: torch.Tensor, fill: int, scale: float, shift: float
) -> torch.Tensor:
    """scale * pixel + shift, (B, 1, H, W) float32, of images resampled by theta (B, 2, 3) as affine_grid means it.

    `pixels` (N, H, W) is uint8 and `index` (B,) chooses from it; `fill` (0 to 255) is what comes in from outside.
    On a CPU with the kernels this is one pass; elsewhere torch's grid_sample does the same.
    """
    kernels = load_kernels()
    if kernels is None or pixels.device.type != "cpu":
        return _sample_by_torch(pixels[index], theta, fill).mul_(scale).add_(fill * scale + shift)
    N, H, W = pixels.shape
    pixels, index, theta = pixels.contiguous(), index.contiguous(), theta.float().contiguous()
    info = _Sampling(N, len(index), H, W, fill, scale, shift)
    out = torch.empty(len(index), 1, H, W)
    function = kernels.sample_images
    if function.argtypes is None:
        function.argtypes = [ctypes.c_void_p] * 5
    addresses = (tensor.data_ptr() for tensor in (pixels, index, theta, out))
    fault = function(ctypes.byref(info), *addresses)
    if fault == _BAD_INDEX:
        raise IndexError(f"an index is outside 0 to {N - 1}")
    if fault:
        raise MemoryError("no memory for sample_images")
    return out


def _sample_by_torch(pixels: torch.Tensor, theta: torch.Tensor, fill: int) -> torch.Tensor:
    """The images (B, 1, H, W) resampled, less `fill`: grid_sample brings in zeros from outside."""
    images = pixels.unsqueeze(1).sub(float(fill))  # a number that is a float makes bytes float32, in the same pass
    B, _, H, W = images.shape
    grid = _grid(H, W, images.device).expand(B, -1, -1).bmm(theta.transpose(1, 2)).view(B, H, W, 2)
    return grid_sample(images, grid, align_corners=False)


@cache
def _grid(height: int, width: int, device: torch.device) -> torch.Tensor:
    """The homogeneous places (1, H * W, 3) of a picture's pixels, which affine_grid would make anew for each batch."""
    places = torch.empty(1, height * width, 3)
    unmoved = affine_grid(torch.eye(2, 3).unsqueeze(0), [1, 1, height, width], align_corners=False)
    places[..., :2], places[..., 2] = unmoved.view(1, -1, 2), 1
    on_device = places.to(device)
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()  # other streams are to use it too
    return on_device
