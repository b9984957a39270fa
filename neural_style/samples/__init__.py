"""Sample images that come with the package: photographs to paint, paintings to take a style from, and masks.

Every example of the manual uses them, so it runs wherever the package is installed:

    from neural_style import samples, stylize

    stylize(samples.path("astronaut"), samples.path("starry_night")).save("out.png")
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Literal, get_args

from neural_style import _atomic

__all__ = ["Sample", "copy_to", "get", "names", "path"]

Kind = Literal["photograph", "painting", "mask"]

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Sample:
    """A sample image.

    Args:
        name: its name; the file is `name.jpg`, for a mask `name.png`.
        kind: "photograph" for a content, "painting" for a style, "mask" for a region of a photograph.
        title: what it shows, or its title, with its author and year.
        license: under which it may be used, with its source.

    Example:
        >>> get("great_wave").title
        'The Great Wave off Kanagawa, Katsushika Hokusai, about 1831'
    """

    name: str
    kind: Kind
    title: str
    license: str

    @property
    def path(self) -> Path:
        """Its file."""
        return FOLDER / f"{self.name}.{'png' if self.kind == 'mask' else 'jpg'}"


_COMMONS = "public domain; reproduction: Wikimedia Commons"
_OWN = "MIT; painted by a program of this project"
_DRAWN = "MIT; made for this project"

SAMPLES = {
    sample.name: sample
    for sample in (
        Sample("astronaut", "photograph", "Portrait of the astronaut Eileen Collins, NASA", "public domain"),
        Sample("cat", "photograph", "The cat Chelsea, Stéfan van der Walt", "CC0; from scikit-image"),
        Sample("chenonceau", "photograph", "Château de Chenonceau, Alf van Beem", "public domain; Wikimedia Commons"),
        Sample("pagoda", "photograph", "A pagoda in China, danielbuechele", "CC BY 2.0; from scikit-learn"),
        Sample("great_wave", "painting", "The Great Wave off Kanagawa, Katsushika Hokusai, about 1831", _COMMONS),
        Sample("harvest", "painting", "A low sun over a patchwork of reaped fields", _OWN),
        Sample("nocturne", "painting", "Paper lanterns rising from a lake into a whirling night sky", _OWN),
        Sample("shipwreck", "painting", "The Wreck of a Transport Ship, J. M. W. Turner, about 1810", _COMMONS),
        Sample("starry_night", "painting", "The Starry Night, Vincent van Gogh, 1889", _COMMONS),
        Sample("astronaut_figure", "mask", "The astronaut and her helmet, white on black", _DRAWN),
        Sample("chenonceau_sky", "mask", "The sky above the castle, white on black", _DRAWN),
    )
}


def names(kind: Kind | None = None) -> tuple[str, ...]:
    """Names of the sample images.

    Args:
        kind: only those of this kind, "photograph", "painting" or "mask"; None for all.

    Raises:
        ValueError: for another kind.

    Example:
        >>> names("photograph")
        ('astronaut', 'cat', 'chenonceau', 'pagoda')
    """
    if kind not in (None, *get_args(Kind)):
        raise ValueError(f"kind must be 'photograph', 'painting', 'mask' or None, not {kind!r}")
    return tuple(name for name, sample in SAMPLES.items() if kind in (None, sample.kind))


def get(name: str) -> Sample:
    """The sample image of a name, with its title, license and file.

    Args:
        name: one of `names()`.

    Raises:
        ValueError: if there is no sample of this name.

    Example:
        >>> get("cat").license
        'CC0; from scikit-image'
    """
    if name not in SAMPLES:
        raise ValueError(f"there is no sample image {name!r}; there are {', '.join(SAMPLES)}")
    return SAMPLES[name]


def path(name: str) -> Path:
    """The file of a sample image: what `stylize` and every other function takes for an image.

    Args:
        name: one of `names()`.

    Raises:
        ValueError: if there is no sample of this name.

    Example:
        >>> path("starry_night").name
        'starry_night.jpg'
    """
    return get(name).path


def copy_to(folder: str | Path) -> list[Path]:
    """Copy all sample images into a folder, as `neural-style samples FOLDER` does.

    Args:
        folder: is created if it does not exist. Files of the same names in it are kept as they are.

    Returns:
        The paths of the images in the folder, in the order of `names()`.

    Raises:
        OSError: if the folder cannot be created or written to.

    Example:
        >>> copy_to("samples")[0].name  # doctest: +SKIP
        'astronaut.jpg'
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    copies = [folder / sample.path.name for sample in SAMPLES.values()]
    for sample, copy in zip(SAMPLES.values(), copies, strict=True):
        if not copy.exists():
            _atomic.write_whole(copy, partial(_write, sample.path.read_bytes()))
    return copies


def _write(data: bytes, file: IO[bytes]) -> None:
    file.write(data)
