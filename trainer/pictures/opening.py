"""A picture file opened: upright, of a working size, whole, and small enough to be held in memory."""

import io
import warnings
from functools import cache

from PIL import Image, ImageOps, UnidentifiedImageError

from models.errors import MnistSearchError

MAX_PIXELS = 100_000_000
"""A camera's pictures have fewer; as RGBA they take 400 MB."""
WORKING_SIDE = 640
"""The longer side of what is worked on: a digit that takes a tenth of a photograph still has some 60 pixels."""

_FORMATS = (
    *("PNG", "JPEG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "AVIF", "JPEG2000", "PPM", "TGA", "ICO", "PCX"),
    *("SGI", "XBM", "DDS", "MSP", "SUN", "QOI", "IM"),
)
"""Those of pixels, which Pillow decodes itself: it would hand an EPS drawing, which is a program, to Ghostscript."""
_MIN_SIDE = 5
_REDUCIBLE = ("L", "LA", "RGB", "RGBA", "CMYK", "F", "I", "YCbCr", "LAB", "HSV", "RGBX", "La", "RGBa")


def open_picture(raw: bytes, name: str) -> Image.Image:
    """The first picture of a file, turned as its EXIF orientation says, its longer side at most 2 x 640 pixels.

    Raises MnistSearchError that says what is wrong with the file, beginning with `name`.
    """
    try:
        # Pillow's own limit is twice as high, and below that a warning on stderr; ours stands below.
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(raw), formats=_formats()) as image:
            _check_size(image.size, name)
            image.draft(None, (WORKING_SIDE, WORKING_SIDE))  # a JPEG is decoded at the size that is needed
            image.load()
            upright = ImageOps.exif_transpose(image)
            return _reduced(upright)
    except UnidentifiedImageError:
        raise MnistSearchError(f"{name} is no picture: use PNG, JPEG or another format of pixels") from None
    except Image.DecompressionBombError:
        raise MnistSearchError(_too_large(name)) from None
    except MemoryError:
        raise MnistSearchError(f"{name} does not fit into memory: make it smaller") from None
    except MnistSearchError:
        raise
    # Pillow's readers raise OSError, SyntaxError, ValueError, EOFError, struct.error and others for a damaged file.
    except Exception as error:
        raise MnistSearchError(f"{name} is a damaged picture ({_one_line(error)}): save it again") from None


@cache
def _formats() -> list[str]:
    """The formats that this release of Pillow reads."""
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _check_size(size: tuple[int, int], name: str) -> None:
    W, H = size
    if W * H > MAX_PIXELS:
        raise MnistSearchError(_too_large(name, f" ({W:,} x {H:,})"))
    if max(W, H) < _MIN_SIDE:
        raise MnistSearchError(f"{name} has {W} x {H} pixels: a digit needs {_MIN_SIDE} at least")


def _too_large(name: str, size: str = "") -> str:
    return f"{name} has over {MAX_PIXELS // 1_000_000} million pixels{size}: make it smaller"


def _reduced(image: Image.Image) -> Image.Image:
    """The means of k x k pixels, with k such that the picture is not yet smaller than the working size."""
    k = max(image.size) // WORKING_SIDE
    if k < 2:
        return image.copy()
    is_keyed = image.mode in ("L", "RGB") and image.has_transparency_data  # a mean with a transparent colour is opaque
    if is_keyed or (image.mode not in _REDUCIBLE and not image.mode.startswith("I;16")):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")  # palettes, and mode "1"
    # 16-bit pictures have no means in Pillow: as 32-bit numbers they have.
    return (image.convert("I") if image.mode.startswith("I;16") else image).reduce(k)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
