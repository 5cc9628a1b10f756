"""A digit looks the same to the network however the picture of it was made."""

from collections.abc import Callable
from operator import methodcaller

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from models.errors import MnistSearchError
from tests.helpers.bundles import digits
from tests.helpers.pictures import MNIST, clean, inverted, likeness, lit, noisy, printed, saved, seven
from trainer.pictures.framing import FRAMINGS, is_framed
from trainer.pictures.opening import open_picture
from trainer.pictures.seeing import NoDigitError, see, see_as_is, see_file

DIGITS = (2, 5, 8)
Y, X = np.mgrid[0:200, 0:200] / 200
PAPER = {"paper": 230, "ink": 30}


def _framed_by_lines(digit: int) -> Image.Image:
    picture = printed(digit)
    ImageDraw.Draw(picture).rectangle((6, 6, 193, 193), outline=0, width=4)
    return picture


def _beside_a_table(digit: int) -> Image.Image:
    picture = printed(digit, **PAPER)
    ImageDraw.Draw(picture).rectangle((0, 0, 199, 30), fill=60)
    return picture


def _tilted_page_on_a_table(digit: int) -> Image.Image:
    picture = Image.new("L", (400, 400), 40)
    ImageDraw.Draw(picture).polygon([(110, 80), (330, 100), (310, 320), (90, 300)], fill=235)
    picture.paste(printed(digit, paper=235, ink=20).crop((30, 30, 170, 170)), (140, 130))
    return picture


def _cropped_tightly(digit: int) -> Image.Image:
    picture = printed(digit, 400)
    return picture.crop(inverted(picture).getbbox())


AS_FOUND: dict[str, tuple[Callable[[int], Image.Image], float]] = {
    "light on dark": (lambda digit: inverted(printed(digit)), 0.99),
    "pencil": (lambda digit: printed(digit, paper=220, ink=185), 0.99),
    "a gradient": (lambda digit: lit(printed(digit, **PAPER), 1 - 0.7 * X), 0.97),
    "a gradient, light on dark": (lambda digit: lit(inverted(printed(digit)), 1 - 0.7 * X), 0.97),
    "a hard shadow": (lambda digit: lit(printed(digit, **PAPER), np.where(X + Y > 0.9, 0.45, 1.0)), 0.95),
    "dark corners": (lambda d: lit(printed(d, **PAPER), 1 - 1.2 * ((X - 0.5) ** 2 + (Y - 0.5) ** 2)), 0.97),
    "noise": (lambda digit: noisy(printed(digit, paper=220, ink=40), 10), 0.97),
    "small in a large picture": (lambda digit: printed(digit, 1000, height=0.06), 0.9),
    "cropped tightly": (_cropped_tightly, 0.93),
    "a frame": (_framed_by_lines, 0.99),
    "a frame, light on dark": (lambda digit: inverted(_framed_by_lines(digit)), 0.99),
    "the edge of a table": (_beside_a_table, 0.97),
    "a tilted page on a table": (_tilted_page_on_a_table, 0.97),
}


@pytest.mark.parametrize("way", AS_FOUND)
def test_a_digit_is_found_and_looks_as_it_does_alone(way: str) -> None:
    make, least = AS_FOUND[way]
    for digit in DIGITS:
        assert likeness(see(make(digit), MNIST), clean(digit)) > least


def _transparent(picture: Image.Image) -> Image.Image:
    """Black ink, and nothing else: whoever flattens it onto black sees nothing."""
    drawn = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    drawn.putalpha(inverted(picture))
    return drawn


def _on_a_page(picture: Image.Image) -> Image.Image:
    drawn = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    drawn.paste(picture.convert("RGBA"), (50, 50))
    return drawn


def _red_on_green(picture: Image.Image) -> Image.Image:
    """Of nearly equal brightness."""
    return Image.composite(
        Image.new("RGB", picture.size, (0, 128, 0)), Image.new("RGB", picture.size, (215, 20, 20)), picture
    )


MODES: dict[str, Callable[[Image.Image], Image.Image]] = {
    **{mode: methodcaller("convert", mode) for mode in ("1", "L", "LA", "P", "RGB", "CMYK", "F")},
    "I;16": lambda picture: Image.fromarray(np.asarray(picture).astype(np.uint16) * 200),
    "ink alone, transparent elsewhere": _transparent,
    "a page, transparent around it": _on_a_page,
    "red on green": _red_on_green,
}


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_of_any_mode(mode: str) -> None:
    assert likeness(see(MODES[mode](printed(5)), MNIST), clean()) > 0.99


def test_jpeg_and_the_orientation_that_it_says() -> None:
    assert likeness(see_file(saved(printed(), "JPEG", quality=20), MNIST, "a"), clean()) > 0.97
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    turned = saved(printed().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)
    assert likeness(see_file(turned, MNIST, "b"), clean()) > 0.97


@pytest.mark.parametrize(("side", "pen"), [(300, 1), (1000, 2), (2000, 3)])
def test_a_fine_pen_does_not_fade(side: int, pen: int) -> None:
    pixels = see(seven(side, pen), MNIST)
    assert pixels.max() == 255
    assert likeness(pixels, see(seven(300, 14), MNIST)) > 0.93
    assert likeness(see(inverted(seven(side, pen)), MNIST), pixels) > 0.99


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 9), st.integers(0, 80), st.integers(0, 80), st.sampled_from((60, 100, 160, 260)), st.booleans())
def test_neither_place_nor_size_nor_the_way_round_matters(digit: int, x: int, y: int, side: int, light: bool) -> None:
    picture = Image.new("L", (side + 80, side + 80), 255)
    picture.paste(printed(digit, side), (x, y))
    assert likeness(see(inverted(picture) if light else picture, MNIST), clean(digit)) > 0.88


def test_what_is_framed_like_mnist_comes_back_unchanged() -> None:
    pixels = clean(3)
    assert is_framed(pixels, MNIST)
    assert np.array_equal(see(Image.fromarray(pixels), MNIST), pixels)
    assert np.array_equal(see(Image.fromarray(255 - pixels), MNIST), pixels)
    aside = np.roll(pixels, 4, 1)
    assert not is_framed(aside, MNIST)
    assert not np.array_equal(see(Image.fromarray(aside), MNIST), aside)


@pytest.mark.parametrize("pen", [0, 90, 255])
def test_what_is_framed_like_mnist_on_transparency_comes_back_unchanged(pen: int) -> None:
    pixels = clean(3)
    drawn = np.dstack([np.full_like(pixels, pen), pixels])
    assert np.array_equal(see(Image.fromarray(drawn), MNIST), pixels)


def test_a_garment_on_transparency_is_light_on_dark() -> None:
    """It is seen as a photograph on a white page; what is white is seen by its opacity."""
    outline = np.zeros((56, 56), np.uint8)
    outline[10:46, 20:36] = 255
    framing = FRAMINGS["fashion-mnist"]
    for grey, brightness in ((55, 200), (255, 255)):
        pixels = see(Image.fromarray(np.dstack([np.full_like(outline, grey), outline])), framing)
        assert (pixels[0, 0], pixels[14, 14]) == (0, brightness)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_means_of_a_large_picture_leave_its_transparent_colour_out(mode: str) -> None:
    large = printed(5, 1300, paper=0, ink=160).point(lambda value: 160 if value > 80 else 0).convert(mode)
    large.info["transparency"] = 0 if mode == "L" else (0, 0, 0)
    small = open_picture(saved(large), "a")
    assert small.size == (650, 650)
    rgba = np.asarray(small)
    assert set(np.unique(rgba[rgba[..., 3] > 0][:, :3])) <= {159, 160, 161}  # nothing between ink and what is hidden


def test_a_scan_comes_back_as_the_digits_have_it() -> None:
    """The dataset's images are scans of 8x8 enlarged; found and framed again they are much the same."""
    framing = FRAMINGS["digits"]
    found = list(digits().test.pixels[:20].numpy())
    again = [see(Image.fromarray(np.pad(255 - pixels, 12, constant_values=255)), framing) for pixels in found]
    assert np.mean([likeness(a, b) for a, b in zip(found, again, strict=True)]) > 0.85


@pytest.mark.parametrize("paper", [0, 128, 255])
def test_blank_pictures_are_refused_by_name(paper: int) -> None:
    with pytest.raises(MnistSearchError, match=r"^a\.png: no digit found: the picture is blank$"):
        see(Image.new("L", (60, 60), paper), MNIST, "a.png")


@pytest.mark.parametrize("deviation", [3, 10, 40])
@pytest.mark.parametrize("paper", [128, 220])
def test_nothing_but_noise_is_refused(deviation: float, paper: int) -> None:
    picture = noisy(Image.new("L", (200, 200), paper), deviation)
    with pytest.raises(MnistSearchError, match="no digit found: nothing stands out from the background and its noise"):
        see(picture, MNIST)


def test_a_picture_of_which_nothing_is_visible_is_blank() -> None:
    hidden = printed(5)
    hidden.putalpha(Image.new("L", hidden.size, 0))
    with pytest.raises(NoDigitError, match=r"^a\.png: no digit found: the picture is blank$") as caught:
        see(hidden, MNIST, "a.png")
    assert caught.value.reason == "no digit found: the picture is blank"


@pytest.mark.parametrize("pen", [0, 255])
def test_as_is_ink_on_transparency_is_light_on_black(pen: int) -> None:
    pixels = clean(3)
    drawn = np.dstack([np.full_like(pixels, pen), pixels])
    assert np.array_equal(see_as_is(saved(Image.fromarray(drawn)), "a"), pixels)


def test_as_is_no_digit_is_sought() -> None:
    pixels = np.zeros((28, 28), np.uint8)
    assert np.array_equal(see_as_is(saved(Image.fromarray(pixels)), "a"), pixels)
    with pytest.raises(MnistSearchError, match=r"^b has 28 x 30 pixels, --as-is takes 28 x 28: leave it out$"):
        see_as_is(saved(Image.new("L", (28, 30))), "b")
