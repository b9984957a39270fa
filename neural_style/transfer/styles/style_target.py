"""A style without its picture: the statistics the losses compare with, kept, saved, mixed and used again."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style import _atomic as files
from neural_style import color
from neural_style.features.base import Extractor
from neural_style.losses import Loss, Statistic
from neural_style.objective import Objective, WholeObjective, objective_for
from neural_style.transfer.checkpoint import fingerprint, stable_repr
from neural_style.transfer.styles.image_style import Measured, Style

__all__ = ["StyleTarget", "TargetStyle", "measured_at"]

FORMAT = 1


@dataclasses.dataclass(frozen=True, eq=False)
class _Sample:
    """One style's statistics.

    Attributes:
        weight: among the samples of a target.
        palette: of its colours.
        areas: for each long side of a canvas the pixels that were measured.
        statistics: for each loss, by what it reads as, and each long side the tensors of its statistic, in order.
    """

    weight: float
    palette: color.Palette
    areas: Mapping[int, float]
    statistics: Mapping[str, Mapping[int, Sequence[np.ndarray]]]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class StyleTarget:
    """What losses need to know of a style, or of a mixture of styles; made by `StyleTransfer.target`.

    Goes wherever a style picture does, to any run whose style losses and extractor are those it was made with.
    `0.3 * a + 0.7 * b` mixes two, and only the ratio of the factors counts. At a canvas it was not computed for, the
    statistics of the nearest size are used, nearest in the logarithm.

    Args:
        samples: one for each style in the mixture.
        extractor: what the extractor was, in words.

    Example:
        >>> from neural_style import StyleTransfer
        >>> style = np.full((40, 40, 3), 200, np.uint8)
        >>> target = StyleTransfer(extractor="vgg16").target(style, size=48)
        >>> 0.5 * target + 0.5 * target
        <StyleTarget of 2 styles at 48 px>
    """

    samples: tuple[_Sample, ...]
    extractor: str

    @property
    def sizes(self) -> tuple[int, ...]:
        """The long sides of the canvases it was computed for, in pixels."""
        return tuple(sorted(set.intersection(*(set(sample.areas) for sample in self.samples))))

    def __repr__(self) -> str:
        count = len(self.samples)
        sizes = ", ".join(map(str, self.sizes))
        return f"<StyleTarget of {count} style{'s' if count > 1 else ''} at {sizes} px>"

    def __add__(self, other: object) -> StyleTarget:
        if not isinstance(other, StyleTarget):
            return NotImplemented
        if self.extractor != other.extractor:
            raise ValueError(f"targets of two extractors do not mix: {self.extractor} and {other.extractor}")
        mixed = StyleTarget(self.samples + other.samples, self.extractor)
        if not mixed.sizes:
            raise ValueError(f"these targets have no size in common: {self.sizes} and {other.sizes}")
        return mixed

    def __radd__(self, other: object) -> StyleTarget:
        return self if other == 0 else NotImplemented  # sum() starts at 0

    def __mul__(self, factor: object) -> StyleTarget:
        if not isinstance(factor, int | float) or isinstance(factor, bool):
            return NotImplemented
        if not 0 <= factor < math.inf:
            raise ValueError(f"a style's weight is at least 0 and finite, not {factor}")
        scaled = [dataclasses.replace(sample, weight=factor * sample.weight) for sample in self.samples]
        return StyleTarget(tuple(scaled), self.extractor)

    __rmul__ = __mul__

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one `.npz` file, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        about: dict[str, Any] = {"format": FORMAT, "extractor": self.extractor, "samples": []}
        arrays: dict[str, Any] = {}
        for number, sample in enumerate(self.samples):
            arrays |= {f"{number}/mean": sample.palette.mean, f"{number}/covariance": sample.palette.covariance}
            losses = list(sample.statistics)
            for index, loss in enumerate(losses):
                for side, tensors in sample.statistics[loss].items():
                    arrays |= {f"{number}/{index}/{side}/{i}": tensor for i, tensor in enumerate(tensors)}
            areas = [[side, area] for side, area in sample.areas.items()]
            about["samples"].append({"weight": sample.weight, "areas": areas, "losses": losses})
        header = np.frombuffer(json.dumps(about).encode(), np.uint8)
        files.write_whole(os.path.realpath(path), lambda handle: np.savez(handle, about=header, **arrays))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> StyleTarget:
        """Read what `save` wrote.

        Raises:
            OSError: there is no such file, or it cannot be opened.
            ValueError: it is no style target, or one of another version.
        """
        with Path(path).open("rb") as handle:
            try:
                with np.load(handle, allow_pickle=False) as stored:
                    about = json.loads(bytes(stored["about"]))
                    if about["format"] == FORMAT:
                        samples = tuple(_sample(stored, i, each) for i, each in enumerate(about["samples"]))
                        return cls(samples, str(about["extractor"]))
            except Exception as error:  # of a damaged zip, NumPy and zipfile raise anything
                raise ValueError(f"{os.fspath(path)!r} is no style target: {type(error).__name__}: {error}") from error
        raise ValueError(f"{os.fspath(path)!r} has format {about['format']!r}; this version reads {FORMAT}")

    def styles(self, weight: float, region: int) -> list[Style]:
        """Its samples as the styles of a run, whose weights add up to one.

        Raises:
            ValueError: every weight is 0.
        """
        total = sum(sample.weight for sample in self.samples)
        if not total > 0:
            raise ValueError("every weight of this style target is 0")
        shares = [(sample, weight * sample.weight / total) for sample in self.samples if sample.weight > 0]
        return [TargetStyle(sample, share, region, self.extractor) for sample, share in shares]


@dataclasses.dataclass(frozen=True, eq=False)
class TargetStyle:
    """One sample of a `StyleTarget` as a `Style`."""

    sample: _Sample
    weight: float
    region: int
    extractor: str

    @property
    def palette(self) -> color.Palette:
        """Of the picture it was made from."""
        return self.sample.palette

    def identity(self) -> str:
        """A hash of all its statistics and its weight."""
        tensors = [
            tensor for by_side in self.sample.statistics.values() for found in by_side.values() for tensor in found
        ]
        return fingerprint(np.array(self.weight), *tensors)

    def measure(self, objective: Objective, long_side: int, regions: int) -> Measured:
        self.check(objective.losses, objective.extractor)
        side = min(self.sample.areas, key=lambda each: abs(math.log(each / long_side)))
        plain = objective_for(objective.losses, objective.extractor)
        shapes = _structure(plain, 0)
        found: list[Statistic | None] = []
        for loss, shape, room in zip(objective.losses, shapes, _structure(plain, regions), strict=True):
            if not loss.uses_style:
                found.append(None)
                continue
            if regions and not loss.additive:
                raise ValueError(f"of the loss {loss.name!r} a StyleTarget serves no masks: give the style's picture")
            tensors = [tf.constant(each) for each in self.sample.statistics[_key(loss)][side]]
            whole = tf.nest.pack_sequence_as(shape, tensors)
            found.append(tf.nest.map_structure(self._in_its_region, whole, room))
        return Measured(tuple(found), self.sample.areas[side])

    def check(self, losses: Sequence[Loss], extractor: Extractor) -> None:
        """Raise `ValueError` where it was not made for these losses and this extractor."""
        needed = describe(extractor)
        if self.extractor != needed:
            raise ValueError(f"this style target was made with {self.extractor} and cannot serve {needed}")
        for loss in losses:
            if loss.uses_style and _key(loss) not in self.sample.statistics:
                there = ", ".join(self.sample.statistics)
                raise ValueError(
                    f"this style target was made for {there} and cannot serve {_key(loss)}. Make it with the target() "
                    "of a StyleTransfer of the same losses."
                )

    def _in_its_region(self, tensor: tf.Tensor, room: tf.TensorSpec) -> tf.Tensor:
        """Statistics of one region among those of several, which stay empty; untouched where a loss has none."""
        if room.shape.rank == 0 or room.shape[0] in (None, tensor.shape[0]):
            return tensor
        before, after = self.region, room.shape[0] - self.region - 1
        return tf.pad(tensor, [[before, after]] + [[0, 0]] * (tensor.shape.rank - 1))


def measured_at(style: Style, objective: Objective, sides: Sequence[int], weight: float) -> _Sample:
    """A style's statistics for canvases of these long sides."""
    measured = {side: style.measure(objective, side, 0) for side in sides}
    statistics = {
        _key(loss): {side: [t.numpy() for t in tf.nest.flatten(each.statistic[i])] for side, each in measured.items()}
        for i, loss in enumerate(objective.losses)
        if loss.uses_style
    }
    return _Sample(weight, style.palette, {side: each.area for side, each in measured.items()}, statistics)


def describe(extractor: Extractor) -> str:
    """An extractor in words, without the precision it computes in: statistics serve any."""
    return re.sub(r",? ?precision='\w+'", "", stable_repr(extractor))


def _key(loss: Loss) -> str:
    return stable_repr(loss)


def _structure(objective: WholeObjective, regions: int) -> Any:
    """How the losses' statistics are nested and shaped; nothing is computed for it."""
    picture = tf.TensorSpec([1, None, None, 3], tf.float32)
    guide = tf.TensorSpec([1, None, None, regions], tf.float32)
    told = dict.fromkeys(objective.style_layers, guide) if regions else {}
    return objective.target.outputs(picture, told)


def _sample(stored: Mapping[str, np.ndarray], number: int, about: Mapping[str, Any]) -> _Sample:
    names = {name: name.split("/") for name in stored if name.startswith(f"{number}/")}
    areas = {int(side): float(area) for side, area in about["areas"]}

    def tensors(index: int, side: int) -> list[np.ndarray]:
        count = sum(parts[1:3] == [str(index), str(side)] for parts in names.values())
        return [stored[f"{number}/{index}/{side}/{i}"] for i in range(count)]

    statistics = {loss: {side: tensors(index, side) for side in areas} for index, loss in enumerate(about["losses"])}
    colors = color.Palette(stored[f"{number}/mean"], stored[f"{number}/covariance"])
    return _Sample(float(about["weight"]), colors, areas, statistics)
