"""Recipe: a frozen description of a training."""

from dataclasses import dataclass, field, replace

from models.errors import InvalidRecipeError
from models.later import added_later
from models.schedules import MOST_EPOCHS, OneCycle, Schedule, floats_from_ints, stretched

OPTIMIZERS = ("sgd", "adamw")

# Field: (smallest, largest) value allowed.
_RANGES: dict[str, tuple[float, float]] = {
    "lr": (0.0, 100.0),
    "momentum": (0.0, 0.9999),
    "weight_decay": (0.0, 1.0),
    "dropout": (0.0, 0.9),
    "rotation_degrees": (0.0, 180.0),
    "translation_share": (0.0, 0.5),
    "scale_share": (0.0, 0.9),
    "shear_degrees": (0.0, 60.0),
    "brightness": (0.0, 1.0),
    "contrast": (0.0, 1.0),
    "fill": (0, 255),
    "label_smoothing": (0.0, 0.5),
    "ema_decay": (0.0, 0.99999),
    "fade_share": (0.0, 1.0),
    "statistics_images": (0, 60_000),
    "epochs": (1, MOST_EPOCHS),
    "batch_size": (1, 60_000),
}
_WHOLE = ("epochs", "batch_size", "fill", "statistics_images")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Raises InvalidRecipeError, which holds every fault found, for impossible values."""

    epochs: int = 15
    batch_size: int = 128
    optimizer: str = "sgd"
    lr: float = 0.1
    """Peak learning rate."""
    momentum: float = 0.9
    """Nesterov momentum of SGD; AdamW ignores it."""
    nesterov: bool = True
    weight_decay: float = 1e-4
    schedule: Schedule = field(default_factory=OneCycle)
    dropout: float = 0.0
    """Share of activations dropped at each place the architecture names."""
    rotation_degrees: float = 0.0
    """Each training image is turned by up to this angle either way."""
    translation_share: float = 0.0
    """Moved by up to this share of its side, along both axes."""
    scale_share: float = 0.0
    """Enlarged or shrunk by up to this share."""
    brightness: float = 0.0
    """Pixel values times a factor of 1 ± this, then cut to the range of a pixel."""
    contrast: float = 0.0
    """Distances from the image's mean times a factor of 1 ± this, then cut to the range of a pixel."""
    fill: int = 0
    """Pixel value (0 to 255) of what rotation and translation bring in from outside."""
    label_smoothing: float = 0.0
    ema_decay: float = 0.0
    """Decay per batch of an exponential moving average of the weights, which is then what is evaluated; 0 is off."""
    shear_degrees: float = added_later(0.0)
    """Slanted along its rows by up to this angle either way."""
    fade_share: float = added_later(0.0)
    """Over this share of the training, its end, the changes of images and dropout fall to nothing (`strength`)."""
    statistics_images: int = added_later(0)
    """Training images, as they are, from which the batch statistics of what is evaluated are estimated after each
    epoch; 0 leaves those that came along with the training."""

    def __post_init__(self) -> None:
        floats_from_ints(self)
        faults = _faults(self)
        if faults:
            raise InvalidRecipeError(faults)


def strength(recipe: Recipe, epoch: int) -> float:
    """What is left in an epoch (from 1) of the ranges of augmentation and of dropout: 1, and 0 in a faded last epoch.

    As He et al. found for mixup and AutoAugment ("Data Augmentation Revisited", arXiv 1909.09148), a network is better
    for having seen the images as they are at the end.
    """
    n_faded = recipe.fade_share * recipe.epochs
    return min(1.0, (recipe.epochs - epoch) / n_faded) if n_faded else 1.0


def stretched_recipe(recipe: Recipe, epochs: int) -> Recipe:
    """The same training over another number of epochs: its schedule keeps its shape."""
    return replace(recipe, epochs=epochs, schedule=stretched(recipe.schedule, epochs / recipe.epochs))


def _faults(recipe: Recipe) -> list[str]:
    faults = []
    for name, (low, high) in _RANGES.items():
        value = getattr(recipe, name)
        types = (int,) if name in _WHOLE else (int, float)
        if isinstance(value, bool) or not isinstance(value, types):
            faults.append(f"{name} is {value!r}: it must be a {'whole ' if name in _WHOLE else ''}number")
        elif not low <= value <= high:
            faults.append(f"{name} is {value}: it must lie between {low:g} and {high:g}")
    if recipe.lr == 0:
        faults.append("lr is 0: nothing would be learnt")
    if recipe.optimizer not in OPTIMIZERS:
        faults.append(f"optimizer is {recipe.optimizer!r}: it must be one of {', '.join(OPTIMIZERS)}")
    if not isinstance(recipe.nesterov, bool):
        faults.append(f"nesterov is {recipe.nesterov!r}: it must be true or false")
    if not isinstance(recipe.schedule, Schedule):
        faults.append(f"schedule is {recipe.schedule!r}: it must be a schedule")
    else:
        faults += [f"schedule {recipe.schedule.kind}: {fault}" for fault in recipe.schedule.faults()]
    return faults
