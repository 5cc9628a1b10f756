"""Digits drawn as strokes of a pen: lines through a few points, several hands for each digit."""

import math
import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Point = tuple[float, float]
Stroke = list[Point]

HANDS: dict[int, list[list[Stroke]]] = {
    0: [
        [[(.5, 0), (.15, .2), (.1, .6), (.3, .95), (.6, .97), (.85, .65), (.85, .25), (.5, 0)]],
        [[(.6, .02), (.25, .15), (.05, .5), (.2, .9), (.55, 1), (.9, .7), (.95, .3), (.7, .05), (.5, .05)]],
        [[(.4, .05), (.2, .4), (.25, .85), (.5, 1), (.72, .75), (.75, .3), (.55, .03), (.38, .08)]],
    ],
    1: [
        [[(.5, 0), (.5, .5), (.5, 1)]],
        [[(.55, 0), (.5, .5), (.42, 1)]],
        [[(.3, .22), (.42, .12), (.52, 0)], [(.52, 0), (.52, .5), (.52, 1)]],
        [[(.3, .25), (.52, 0)], [(.52, 0), (.52, 1)], [(.3, 1), (.75, 1)]],
    ],
    2: [
        [[(.12, .25), (.3, .03), (.6, 0), (.82, .2), (.72, .48), (.4, .75), (.1, 1)], [(.1, 1), (.5, .98), (.9, 1)]],
        [[(.15, .2), (.4, 0), (.75, .1), (.78, .38), (.5, .7), (.2, .95), (.12, .85), (.3, .8), (.55, .95),
          (.9, .95)]],
        [[(.2, .2), (.5, .02), (.78, .2), (.6, .55), (.15, .98)], [(.15, .98), (.85, .98)]],
    ],
    3: [
        [[(.15, .12), (.45, 0), (.75, .12), (.72, .35), (.4, .47)],
         [(.4, .47), (.78, .58), (.82, .82), (.5, 1), (.12, .88)]],
        [[(.15, .02), (.8, .02)], [(.8, .02), (.42, .4)], [(.42, .4), (.8, .5), (.85, .8), (.5, 1), (.12, .88)]],
        [[(.2, .15), (.5, 0), (.75, .2), (.55, .42), (.4, .47), (.6, .5), (.8, .7), (.6, .97), (.25, .97), (.1, .85)]],
    ],
    4: [
        [[(.35, 0), (.25, .35), (.12, .6)], [(.12, .6), (.9, .6)], [(.68, .25), (.66, .6), (.64, 1)]],
        [[(.65, 0), (.08, .68)], [(.08, .68), (.92, .68)], [(.65, 0), (.65, 1)]],
        [[(.2, 0), (.15, .3), (.2, .5), (.5, .52), (.75, .45)], [(.78, 0), (.75, .5), (.7, 1)]],
    ],
    5: [
        [[(.25, .02), (.22, .45)], [(.22, .45), (.55, .37), (.85, .6), (.75, .9), (.4, 1), (.12, .9)],
         [(.25, .02), (.85, .02)]],
        [[(.85, .03), (.3, .03)], [(.3, .03), (.22, .42)],
         [(.22, .42), (.5, .36), (.8, .52), (.8, .82), (.5, 1), (.15, .9)]],
        [[(.8, 0), (.35, .03)], [(.35, .03), (.28, .4)], [(.28, .4), (.65, .5), (.7, .8), (.45, .98), (.1, .92)]],
    ],
    6: [
        [[(.65, 0), (.3, .3), (.12, .7), (.3, .97), (.65, .97), (.85, .75), (.65, .52), (.35, .55), (.17, .72)]],
        [[(.5, 0), (.25, .35), (.18, .75), (.4, 1), (.7, .9), (.72, .65), (.5, .55), (.25, .68)]],
        [[(.75, .08), (.45, .05), (.2, .35), (.12, .7), (.3, .97), (.65, .98), (.85, .75), (.7, .53), (.4, .52),
          (.17, .7)]],
    ],
    7: [
        [[(.1, .02), (.88, .02)], [(.88, .02), (.55, .5), (.4, 1)]],
        [[(.12, .05), (.85, .02)], [(.85, .02), (.5, .5), (.38, 1)], [(.28, .5), (.75, .48)]],
        [[(.12, .18), (.14, .03)], [(.14, .03), (.85, .03)], [(.85, .03), (.6, .45), (.5, 1)]],
    ],
    8: [
        [[(.75, .12), (.45, 0), (.2, .18), (.4, .42), (.7, .6), (.8, .82), (.5, 1), (.2, .85), (.3, .6), (.65, .38),
          (.78, .15)]],
        [[(.5, 0), (.22, .12), (.22, .36), (.5, .47), (.78, .36), (.78, .12), (.5, 0)],
         [(.5, .47), (.15, .62), (.15, .88), (.5, 1), (.85, .88), (.85, .62), (.5, .47)]],
        [[(.7, .05), (.35, .08), (.3, .3), (.62, .55), (.68, .85), (.4, 1), (.22, .8), (.45, .52), (.72, .25),
          (.68, .05)]],
    ],
    9: [
        [[(.78, .15), (.5, 0), (.2, .15), (.2, .42), (.5, .52), (.78, .35), (.8, .12)],
         [(.8, .12), (.78, .55), (.7, 1)]],
        [[(.75, .2), (.5, .02), (.2, .2), (.3, .48), (.6, .48), (.78, .2), (.8, .55), (.65, .92), (.3, .98)]],
        [[(.72, .1), (.4, .02), (.2, .25), (.35, .48), (.65, .4), (.75, .1)], [(.75, .1), (.6, .55), (.45, 1)]],
    ],
}  # fmt: skip
"""By digit, the ways people write it: strokes through points (x, y) of a unit square, y downwards. Made by hand."""


def drawn(digit: int, hand: int, rng: random.Random, side: int, pen: float) -> Image.Image:
    """A digit in one of its hands, black on white, no two drawn alike.

    `side` is the picture's in pixels, `pen` the width of the pen as a share of the digit's height.
    """
    place = _changed(rng, side)
    height = 0.6 * side
    picture = Image.new("L", (side, side), 255)
    draw = ImageDraw.Draw(picture)
    width = max(1, round(pen * height))
    for stroke in HANDS[digit][hand]:
        shaken = [(x + rng.gauss(0, 0.018), y + rng.gauss(0, 0.018)) for x, y in stroke]
        points = [place(x, y) for x, y in _through(shaken)]
        draw.line(points, fill=20, width=width, joint="curve")
        for x, y in (points[0], points[-1]):
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=20)
    return picture


def _changed(rng: random.Random, side: int) -> Callable[[float, float], Point]:
    """A random slant, turn, width and place of a digit, as a function from the unit square to pixels."""
    turn, slant = math.radians(rng.uniform(-8, 8)), rng.uniform(-0.1, 0.3)
    width = rng.uniform(0.5, 0.8)
    x0, y0 = (side * (0.5 + rng.uniform(-0.1, 0.1)) for _ in range(2))

    def place(x: float, y: float) -> Point:
        u, v = (x - 0.5) * width - slant * (y - 0.5), y - 0.5
        u, v = u * math.cos(turn) - v * math.sin(turn), u * math.sin(turn) + v * math.cos(turn)
        return x0 + 0.6 * side * u, y0 + 0.6 * side * v

    return place


def _through(points: Stroke, n: int = 12) -> Stroke:
    """A Catmull-Rom spline through the points, n pieces between two."""
    if len(points) == 2:
        return points
    p = np.array([points[0], *points, points[-1]])
    t = np.linspace(0, 1, n, endpoint=False)[:, None]
    curve = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return [(float(x), float(y)) for x, y in np.concatenate([*curve, p[-1:]])]


def photographed(picture: Image.Image, rng: random.Random) -> Image.Image:
    """As a camera takes it: grey paper, a shadow that deepens to one side, blur and noise; L."""
    blurred = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.0) * max(picture.size) / 300))
    values = np.asarray(blurred, np.float32) / 255  # (H, W)
    H, W = values.shape
    y, x = np.mgrid[0:H, 0:W] / max(H, W) - 0.5
    towards, deep = rng.uniform(0, 2 * math.pi), rng.uniform(0.1, 0.6)
    light = 1 - deep * (0.5 + x * math.cos(towards) + y * math.sin(towards)).clip(0, 1)
    ink = rng.uniform(0.05, 0.4)  # a pencil is not black
    seen = (ink + (1 - ink) * values) * light * rng.uniform(0.6, 0.95)
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, rng.uniform(0.005, 0.03), (H, W))
    return Image.fromarray(np.rint((seen + noise).clip(0, 1) * 255).astype(np.uint8))
