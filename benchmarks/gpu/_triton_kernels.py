"""Triton kernels for what stands between two convolutions: batch norm, ReLU, dropout and maybe a 2x2 max-pool.

As in `trainer/fused/block.c`, which is the same for a CPU, nothing is kept for the backward pass but x and its
statistics: what came of x is computed again. With u = (x - mean) * inv_std * gamma + beta, the block's output before
the pool is relu(u) * factor, where a factor is dropout's: 0 or 1 / (1 - p).

Data is channels-last, pixels of C channels each. A *program* works on a tile of ROWS rows and as many columns as the
next power of two to C has, and in each place of the tile on four pixels: those of a row are a 2x2 window where a pool
follows, and else lie ROWS apart. So one call of the random generator gives the four factors, and a pooled value, or
its gradient, meets all that it came from in one place. Windows on an odd edge reach out of the image: they have a
gradient for their pixels, by way of the statistics, but no output.

Sums over pixels are made in two passes, a number for each program and then their sum in a fixed order: no atomics, so
that they are the same every time. They are taken in `while` loops: the interpreter of Triton 3.6 cannot make a `range`
to a number that a kernel is given, if numpy is newer than itself.
"""

# mypy: disable-error-code="no-untyped-def"
# Triton reads annotations, and knows none for what a kernel is given but its own constexpr.

import triton
import triton.language as tl


@triton.jit
def _pixels(program, J: tl.constexpr, batch, height, width, POOL: tl.constexpr, ROWS: tl.constexpr):
    """Of the J-th of four pixels in each row: their numbers (ROWS,), and whether they are there."""
    rows = tl.arange(0, ROWS)
    if POOL:
        windows = program * ROWS + rows
        across, down = (width + 1) // 2, (height + 1) // 2
        h, w = windows // across % down * 2 + J // 2, windows % across * 2 + J % 2
        image = windows // (across * down)
        pixels = (image * height + h) * width + w
        are_there = (image < batch) & (h < height) & (w < width)
    else:
        pixels = (program * 4 + J) * ROWS + rows
        are_there = pixels < batch * height * width
    return pixels, are_there


@triton.jit
def _windows(program, batch, height, width, ROWS: tl.constexpr):
    """Of the pooled pixel that each row makes: their numbers (ROWS,), and whether they are there."""
    windows = program * ROWS + tl.arange(0, ROWS)
    across, down = (width + 1) // 2, (height + 1) // 2
    h, w, image = windows // across % down, windows % across, windows // (across * down)
    pixels = (image * (height // 2) + h) * (width // 2) + w
    return pixels, (image < batch) & (h < height // 2) & (w < width // 2)


@triton.jit
def _load(source, pixels, are_there, C: tl.constexpr, COLUMNS: tl.constexpr):
    """Values (ROWS, COLUMNS) in float32, 0 where there are none."""
    c = tl.arange(0, COLUMNS)
    is_there = are_there[:, None] & (c < C)[None, :]
    return tl.load(source + pixels[:, None] * C + c[None, :], mask=is_there, other=0.0).to(tl.float32)


@triton.jit
def _store(target, values, pixels, are_there, C: tl.constexpr, COLUMNS: tl.constexpr):
    c = tl.arange(0, COLUMNS)
    is_there = are_there[:, None] & (c < C)[None, :]
    tl.store(target + pixels[:, None] * C + c[None, :], values.to(target.dtype.element_ty), mask=is_there)


@triton.jit
def _by_channel(source, C: tl.constexpr, COLUMNS: tl.constexpr):
    """(1, COLUMNS) in float32."""
    c = tl.arange(0, COLUMNS)
    return tl.load(source + c, mask=c < C, other=0.0).to(tl.float32)[None, :]


@triton.jit
def _factors(program, seed, p, C: tl.constexpr, COLUMNS: tl.constexpr, ROWS: tl.constexpr, DROPS: tl.constexpr):
    """Dropout's factors at the four pixels of each place: the same whenever they are asked for."""
    ones = tl.full([ROWS, COLUMNS], 1.0, tl.float32)
    a, b, c, d = ones, ones, ones, ones
    if DROPS:
        share = tl.load(p)
        places = (program * ROWS + tl.arange(0, ROWS))[:, None] * C + tl.arange(0, COLUMNS)[None, :]
        a, b, c, d = tl.rand4x(tl.load(seed), places)
        scale = 1 / (1 - share)
        a, b = tl.where(a < share, 0.0, scale), tl.where(b < share, 0.0, scale)
        c, d = tl.where(c < share, 0.0, scale), tl.where(d < share, 0.0, scale)
    return a, b, c, d


@triton.jit
def _value(x, mean, scale, beta, factor):
    """y before the pool. NaN is passed on, as torch does."""
    u = (x - mean) * scale + beta
    return tl.where(u < 0, 0.0, u) * factor


@triton.jit
def _larger(best, place, y, J: tl.constexpr):
    """The larger of best and y, and the place that it has among four: the first if equal, as torch does."""
    is_taken = (y > best) | (y != y)
    return tl.where(is_taken, y, best), tl.where(is_taken, J, place)


@triton.jit
def _through(g, x, mean, scale, beta, factor):
    """The gradient at u of one at y."""
    return tl.where((x - mean) * scale + beta > 0, g * factor, 0.0)


# ---------------------------------------------------------------- forward


@triton.jit
def measure_tiles(x, partial, n_pixels, n_programs, C: tl.constexpr, COLUMNS: tl.constexpr, PIXELS: tl.constexpr):
    """Of each program's pixels the mean, and the sum of squares about it, by channel: into partial (2, C, n_programs).

    About their own mean, since a variance as the difference of two sums loses the digits that a large mean takes up.
    """
    program = tl.program_id(0)
    pixels = program * PIXELS + tl.arange(0, PIXELS)
    c = tl.arange(0, COLUMNS)
    values = _load(x, pixels, pixels < n_pixels, C, COLUMNS)
    mean = tl.sum(values, 0) / tl.minimum(n_pixels - program * PIXELS, PIXELS)
    away = tl.where((pixels < n_pixels)[:, None], values - mean[None, :], 0.0)
    tl.store(partial + c * n_programs + program, mean, mask=c < C)
    tl.store(partial + (C + c) * n_programs + program, tl.sum(away * away, 0), mask=c < C)


@triton.jit
def finish_statistics(
    partial, statistics, running_mean, running_var, n_pixels, n_programs, momentum, eps,
    C: tl.constexpr, PIXELS: tl.constexpr, AT_ONCE: tl.constexpr,
):  # fmt: skip
    """Mean and 1 / standard deviation of a channel, into statistics (2, C); moves the running ones towards them.

    By the pairwise rule of Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm (1979).
    """
    c = tl.program_id(0)
    places = tl.arange(0, AT_ONCE)
    total = tl.zeros([AT_ONCE], tl.float32)
    start = 0
    while start < n_programs:
        i = start + places
        count = tl.minimum(n_pixels - i * PIXELS, PIXELS)
        total += tl.load(partial + c * n_programs + i, mask=i < n_programs, other=0.0) * count
        start += AT_ONCE
    mean = tl.sum(total, 0) / n_pixels
    squares = tl.zeros([AT_ONCE], tl.float32)
    start = 0
    while start < n_programs:
        i = start + places
        count = tl.minimum(n_pixels - i * PIXELS, PIXELS)
        away = tl.load(partial + c * n_programs + i, mask=i < n_programs, other=0.0) - mean
        within = tl.load(partial + (C + c) * n_programs + i, mask=i < n_programs, other=0.0)
        squares += tl.where(i < n_programs, within + away * away * count, 0.0)
        start += AT_ONCE
    square = tl.sum(squares, 0)
    tl.store(statistics + c, mean)
    tl.store(statistics + C + c, 1 / tl.sqrt(square / n_pixels + eps))
    tl.store(running_mean + c, (1 - momentum) * tl.load(running_mean + c) + momentum * mean)
    tl.store(running_var + c, (1 - momentum) * tl.load(running_var + c) + momentum * (square / (n_pixels - 1)))


@triton.jit
def write_y(
    x, y, gamma, beta, statistics, seed, p, batch, height, width,
    C: tl.constexpr, COLUMNS: tl.constexpr, ROWS: tl.constexpr, POOL: tl.constexpr, DROPS: tl.constexpr,
):  # fmt: skip
    """y, out of x and its statistics."""
    program = tl.program_id(0)
    mean, shift = _by_channel(statistics, C, COLUMNS), _by_channel(beta, C, COLUMNS)
    scale = _by_channel(gamma, C, COLUMNS) * _by_channel(statistics + C, C, COLUMNS)
    factor0, factor1, factor2, factor3 = _factors(program, seed, p, C, COLUMNS, ROWS, DROPS)
    pixels0, there0 = _pixels(program, 0, batch, height, width, POOL, ROWS)
    pixels1, there1 = _pixels(program, 1, batch, height, width, POOL, ROWS)
    pixels2, there2 = _pixels(program, 2, batch, height, width, POOL, ROWS)
    pixels3, there3 = _pixels(program, 3, batch, height, width, POOL, ROWS)
    y0 = _value(_load(x, pixels0, there0, C, COLUMNS), mean, scale, shift, factor0)
    y1 = _value(_load(x, pixels1, there1, C, COLUMNS), mean, scale, shift, factor1)
    y2 = _value(_load(x, pixels2, there2, C, COLUMNS), mean, scale, shift, factor2)
    y3 = _value(_load(x, pixels3, there3, C, COLUMNS), mean, scale, shift, factor3)
    if POOL:
        best, place = y0, tl.zeros([ROWS, COLUMNS], tl.int32)
        best, place = _larger(best, place, y1, 1)
        best, place = _larger(best, place, y2, 2)
        best, place = _larger(best, place, y3, 3)
        pooled, are_there = _windows(program, batch, height, width, ROWS)
        _store(y, best, pooled, are_there, C, COLUMNS)
    else:
        _store(y, y0, pixels0, there0, C, COLUMNS)
        _store(y, y1, pixels1, there1, C, COLUMNS)
        _store(y, y2, pixels2, there2, C, COLUMNS)
        _store(y, y3, pixels3, there3, C, COLUMNS)


# ---------------------------------------------------------------- backward


@triton.jit
def _gradients(
    x0, x1, x2, x3, g, seed, p, program, mean, scale, shift, batch, height, width,
    C: tl.constexpr, COLUMNS: tl.constexpr, ROWS: tl.constexpr, POOL: tl.constexpr, DROPS: tl.constexpr,
):  # fmt: skip
    """The gradient at u of the four pixels of each place, 0 where a pixel is not there."""
    factor0, factor1, factor2, factor3 = _factors(program, seed, p, C, COLUMNS, ROWS, DROPS)
    if POOL:
        best, place = _value(x0, mean, scale, shift, factor0), tl.zeros([ROWS, COLUMNS], tl.int32)
        best, place = _larger(best, place, _value(x1, mean, scale, shift, factor1), 1)
        best, place = _larger(best, place, _value(x2, mean, scale, shift, factor2), 2)
        best, place = _larger(best, place, _value(x3, mean, scale, shift, factor3), 3)
        pooled, are_there = _windows(program, batch, height, width, ROWS)
        upstream = _load(g, pooled, are_there, C, COLUMNS)
        g0, g1 = tl.where(place == 0, upstream, 0.0), tl.where(place == 1, upstream, 0.0)
        g2, g3 = tl.where(place == 2, upstream, 0.0), tl.where(place == 3, upstream, 0.0)
    else:
        pixels0, there0 = _pixels(program, 0, batch, height, width, POOL, ROWS)
        pixels1, there1 = _pixels(program, 1, batch, height, width, POOL, ROWS)
        pixels2, there2 = _pixels(program, 2, batch, height, width, POOL, ROWS)
        pixels3, there3 = _pixels(program, 3, batch, height, width, POOL, ROWS)
        g0, g1 = _load(g, pixels0, there0, C, COLUMNS), _load(g, pixels1, there1, C, COLUMNS)
        g2, g3 = _load(g, pixels2, there2, C, COLUMNS), _load(g, pixels3, there3, C, COLUMNS)
    return (
        _through(g0, x0, mean, scale, shift, factor0),
        _through(g1, x1, mean, scale, shift, factor1),
        _through(g2, x2, mean, scale, shift, factor2),
        _through(g3, x3, mean, scale, shift, factor3),
    )


@triton.jit
def sum_gradient_tiles(
    x, g, partial, gamma, beta, statistics, seed, p, batch, height, width, n_programs,
    C: tl.constexpr, COLUMNS: tl.constexpr, ROWS: tl.constexpr, POOL: tl.constexpr, DROPS: tl.constexpr,
):  # fmt: skip
    """Of each program the sums of the gradient at u, alone and times normalised x: into partial (2, C, n_programs)."""
    program = tl.program_id(0)
    mean, shift = _by_channel(statistics, C, COLUMNS), _by_channel(beta, C, COLUMNS)
    inv_std = _by_channel(statistics + C, C, COLUMNS)
    scale = _by_channel(gamma, C, COLUMNS) * inv_std
    pixels0, there0 = _pixels(program, 0, batch, height, width, POOL, ROWS)
    pixels1, there1 = _pixels(program, 1, batch, height, width, POOL, ROWS)
    pixels2, there2 = _pixels(program, 2, batch, height, width, POOL, ROWS)
    pixels3, there3 = _pixels(program, 3, batch, height, width, POOL, ROWS)
    x0, x1 = _load(x, pixels0, there0, C, COLUMNS), _load(x, pixels1, there1, C, COLUMNS)
    x2, x3 = _load(x, pixels2, there2, C, COLUMNS), _load(x, pixels3, there3, C, COLUMNS)
    g0, g1, g2, g3 = _gradients(
        x0, x1, x2, x3, g, seed, p, program, mean, scale, shift, batch, height, width, C, COLUMNS, ROWS, POOL, DROPS
    )
    products = g0 * (x0 - mean) + g1 * (x1 - mean) + g2 * (x2 - mean) + g3 * (x3 - mean)
    c = tl.arange(0, COLUMNS)
    tl.store(partial + c * n_programs + program, tl.sum(g0 + g1 + g2 + g3, 0), mask=c < C)
    tl.store(partial + (C + c) * n_programs + program, tl.sum(products * inv_std, 0), mask=c < C)


@triton.jit
def finish_sums(partial, sums, n_programs, AT_ONCE: tl.constexpr):
    """Adds up partial (2*C, n_programs) into sums (2*C,): a row each program, dbeta and then dgamma."""
    row = tl.program_id(0)
    total = tl.zeros([AT_ONCE], tl.float32)
    start = 0
    while start < n_programs:
        i = start + tl.arange(0, AT_ONCE)
        total += tl.load(partial + row * n_programs + i, mask=i < n_programs, other=0.0)
        start += AT_ONCE
    tl.store(sums + row, tl.sum(total, 0))


@triton.jit
def write_dx(
    x, g, dx, gamma, beta, statistics, sums, seed, p, batch, height, width,
    C: tl.constexpr, COLUMNS: tl.constexpr, ROWS: tl.constexpr, POOL: tl.constexpr, DROPS: tl.constexpr,
):  # fmt: skip
    """dx = scale * (g - mean(g) - z * mean(g * z)), with g at u and z the normalised x."""
    program = tl.program_id(0)
    n_pixels = batch * height * width
    mean, shift = _by_channel(statistics, C, COLUMNS), _by_channel(beta, C, COLUMNS)
    inv_std = _by_channel(statistics + C, C, COLUMNS)
    scale = _by_channel(gamma, C, COLUMNS) * inv_std
    mean_g = _by_channel(sums, C, COLUMNS) / n_pixels
    mean_gz = _by_channel(sums + C, C, COLUMNS) * inv_std / n_pixels
    pixels0, there0 = _pixels(program, 0, batch, height, width, POOL, ROWS)
    pixels1, there1 = _pixels(program, 1, batch, height, width, POOL, ROWS)
    pixels2, there2 = _pixels(program, 2, batch, height, width, POOL, ROWS)
    pixels3, there3 = _pixels(program, 3, batch, height, width, POOL, ROWS)
    x0, x1 = _load(x, pixels0, there0, C, COLUMNS), _load(x, pixels1, there1, C, COLUMNS)
    x2, x3 = _load(x, pixels2, there2, C, COLUMNS), _load(x, pixels3, there3, C, COLUMNS)
    g0, g1, g2, g3 = _gradients(
        x0, x1, x2, x3, g, seed, p, program, mean, scale, shift, batch, height, width, C, COLUMNS, ROWS, POOL, DROPS
    )
    _store(dx, scale * (g0 - mean_g - (x0 - mean) * mean_gz), pixels0, there0, C, COLUMNS)
    _store(dx, scale * (g1 - mean_g - (x1 - mean) * mean_gz), pixels1, there1, C, COLUMNS)
    _store(dx, scale * (g2 - mean_g - (x2 - mean) * mean_gz), pixels2, there2, C, COLUMNS)
    _store(dx, scale * (g3 - mean_g - (x3 - mean) * mean_gz), pixels3, there3, C, COLUMNS)
