"""The C code of a bundle for processors that are not here: its size on a Cortex-M4, its answers on ARM and on PowerPC.

apt-get install gcc-arm-none-eabi gcc-arm-linux-gnueabihf gcc-powerpc-linux-gnu qemu-user
MNIST_SEARCH_DATA=DIR python -m benchmarks.microcontroller --model docs/model --out OUT.md
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

from benchmarks._report import machine_line, markdown_table
from trainer.c99.program import STRICT, Variant, compiled
from trainer.data.find import data_folder
from trainer.data.images import load_idx_dataset

N_IMAGES = 500
CORTEX_M4 = ("arm-none-eabi-gcc", "-std=c99", "-mcpu=cortex-m4", "-mthumb", "-Os")
FLOAT_UNIT = ("-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
OBJECTS = {
    "int8 alone": ("-DMODEL_NO_F32",),
    "float32 alone, for its float unit": ("-DMODEL_NO_INT8", *FLOAT_UNIT),
    "both, for its float unit": FLOAT_UNIT,
}
EMULATED = {
    "ARM, 32 bits": ("arm-linux-gnueabihf-gcc", "qemu-arm"),
    "PowerPC, 32 bits, big-endian": ("powerpc-linux-gnu-gcc", "qemu-ppc"),
}
VARIANTS: tuple[Variant, ...] = ("f32", "int8")


def object_row(source: Path, name: str, flags: tuple[str, ...]) -> list[str]:
    """Bytes of code and constants, of data, and of zeroed memory of the object that a device links with."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "model.o"
        subprocess.run([*CORTEX_M4, *flags, "-c", str(source), "-o", str(made)], check=True)
        said = subprocess.run(["arm-none-eabi-size", str(made)], check=True, capture_output=True, text=True).stdout
    return [name, *(f"{int(size):,}" for size in said.splitlines()[1].split()[:3])]


def emulated_row(source: Path, images: Path, name: str, compiler: str, emulator: str) -> list[str]:
    """Whether an emulated program gives the answers of this machine's, to the last digit."""
    with tempfile.TemporaryDirectory() as folder, compiled(source) as here:
        there = Path(folder) / "model"
        subprocess.run([compiler, *STRICT, "-static", "-DMODEL_MAIN", str(source), "-o", str(there)], check=True)
        checked = _said(emulator, str(there)).splitlines()[-1]
        ours = {of: _said(str(here.executable), of, str(images)) for of in VARIANTS}
        same = [_said(emulator, str(there), of, str(images)) == text for of, text in ours.items()]
    return [name, checked, *("the same text" if one else "OTHER TEXT" for one in same)]


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def first_images(path: Path, data_dir: Path | None) -> None:
    """Writes the first test images of MNIST as an IDX file."""
    pixels = load_idx_dataset("mnist", data_folder(data_dir)).test.pixels[:N_IMAGES].numpy()
    head = b"\0\0\x08\x03" + b"".join(size.to_bytes(4, "big") for size in pixels.shape)
    path.write_bytes(head + pixels.tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="a bundle")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    words = parser.parse_args()
    source = words.model / "model.c"
    sizes = [object_row(source, name, flags) for name, flags in OBJECTS.items()]
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.idx"
        first_images(images, words.data_dir)
        answers = [emulated_row(source, images, name, *tools) for name, tools in EMULATED.items()]
    version = _said(CORTEX_M4[0], "--version").splitlines()[0]
    page = [
        f"# {source} on other processors\n",
        f"{machine_line()}; {version}.",
        f"`python -m benchmarks.microcontroller --model {words.model} --out {words.out}`\n",
        "## Bytes of the object on a Cortex-M4\n",
        f"`{' '.join(CORTEX_M4)}`; the scratch is the caller's, and not in it.\n",
        markdown_table(("variant", "code and constants (flash)", "data", "zeroed"), sizes),
        "## Answers, emulated by qemu\n",
        f"Logits of the first {N_IMAGES} test images as text, beside those of this machine's program.\n",
        markdown_table(("processor", "its own test vectors", "float32", "int8"), answers),
    ]
    words.out.write_text("\n".join(page))
    print("\n".join(page))


if __name__ == "__main__":
    main()
