"""A saved style: the statistics that the losses compare with, kept in place of the image, saved and mixed."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from neural_style import _archive, _atomic, color
from neural_style._archive import Archive, DamagedError
from neural_style._arguments import real
from neural_style._files import resolve
from neural_style._fingerprint import fingerprint, reason_unidentified
from neural_style.features import Extractor
from neural_style.losses import Loss, Statistic
from neural_style.objective import Objective, WholeObjective, objective_for
from neural_style.transfer.styles.base import Measured, Style

__all__ = ["SavedStyle", "StyleTarget", "measure_target"]

FORMAT = 3
FORMER = 2  # the same without a checksum; still read


@dataclasses.dataclass(frozen=True, eq=False)
class _Sample:
    """One style's statistics.

    Attributes:
        weight: among the samples of a target.
        palette: mean and covariance of its colors.
        areas: for each canvas, by its long side, how many pixels were measured.
        losses: the text of each loss, by its fingerprint.
        statistics: for each loss, by its fingerprint, and each long side that it was measured at, the tensors of its
            statistic, in order.
    """

    weight: float
    palette: color.Palette
    areas: Mapping[int, float]
    losses: Mapping[str, str]
    statistics: Mapping[str, Mapping[int, Sequence[np.ndarray]]]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class StyleTarget:
    """The statistics of a style, or of a mixture of styles; made by `StyleTransfer.target`.

    It can replace a style image in any run with the same style losses and extractor. `0.3 * a + 0.7 * b` mixes two
    targets; only the ratio of the factors matters. For a canvas of another size than it was computed for, the
    statistics of the nearest size on a logarithmic scale are used.

    Args:
        samples: one for each style in the mixture.
        extractor: a description of the extractor.
        extractor_id: the extractor's fingerprint.

    Example:
        >>> from neural_style import StyleTransfer
        >>> style = np.full((40, 40, 3), 200, np.uint8)
        >>> target = StyleTransfer(extractor="vgg16").target(style, size=48)
        >>> 0.5 * target + 0.5 * target
        <StyleTarget of 2 styles at 48 px>
    """

    samples: tuple[_Sample, ...]
    extractor: str
    extractor_id: str

    __array_ufunc__ = None  # NumPy's numbers leave the multiplication to this class

    @property
    def sizes(self) -> tuple[int, ...]:
        """Long sides of the canvases it was computed for, in pixels."""
        return tuple(sorted(set.intersection(*(set(sample.areas) for sample in self.samples))))

    def __repr__(self) -> str:
        count = len(self.samples)
        sizes = ", ".join(map(str, self.sizes))
        return f"<StyleTarget of {count} style{'s' if count > 1 else ''} at {sizes} px>"

    def __add__(self, other: object) -> StyleTarget:
        if not isinstance(other, StyleTarget):
            return NotImplemented
        if self.extractor_id != other.extractor_id:
            raise ValueError(f"targets of different extractors cannot be mixed: {self.extractor} and {other.extractor}")
        mixed = StyleTarget(self.samples + other.samples, self.extractor, self.extractor_id)
        if not mixed.sizes:
            raise ValueError(f"these targets have no size in common: {self.sizes} and {other.sizes}")
        return mixed

    def __radd__(self, other: object) -> StyleTarget:
        return self if other == 0 else NotImplemented  # sum() starts at 0

    def __mul__(self, factor: object) -> StyleTarget:
        try:
            number = real("a style's weight", factor, at_least=0)
        except TypeError:
            return NotImplemented
        scaled = [dataclasses.replace(sample, weight=number * sample.weight) for sample in self.samples]
        return StyleTarget(tuple(scaled), self.extractor, self.extractor_id)

    __rmul__ = __mul__

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to one `.npz` file, whole or not at all.

        Raises:
            OSError: it cannot be written, or something is there that is not a regular file.
        """
        about: dict[str, Any] = {
            "format": FORMAT,
            "extractor": self.extractor,
            "extractor_id": self.extractor_id,
            "samples": [],
        }
        arrays: dict[str, Any] = {}
        for number, sample in enumerate(self.samples):
            arrays |= {f"{number}/mean": sample.palette.mean, f"{number}/covariance": sample.palette.covariance}
            for index, loss in enumerate(sample.losses):
                for side, tensors in sample.statistics[loss].items():
                    arrays |= {f"{number}/{index}/{side}/{i}": tensor for i, tensor in enumerate(tensors)}
            areas = [[side, area] for side, area in sample.areas.items()]
            about["samples"].append({"weight": sample.weight, "areas": areas, "losses": list(sample.losses.items())})
        _atomic.write_whole(resolve(path), lambda handle: _archive.write(handle, about, arrays))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> StyleTarget:
        """Read what `save` wrote.

        Raises:
            OSError: there is no such file, it cannot be read, or it is not a regular file.
            ValueError: the file is not a style target, is damaged, or was written by another version.
        """
        try:
            with _archive.opened(path, unchecked=(FORMER,)) as (about, stored):
                if about["format"] in (FORMAT, FORMER):
                    samples = tuple(_sample(stored, i, each) for i, each in enumerate(about["samples"]))
                    return cls(samples, str(about["extractor"]), str(about["extractor_id"]))
        except DamagedError as error:
            raise ValueError(f"{os.fspath(path)!r} is not a style target, or is damaged: {error}") from error
        raise ValueError(f"{os.fspath(path)!r} has format {about['format']!r}; this version reads {FORMAT}")

    def styles(self, weight: float, region: int) -> list[Style]:
        """Its samples as the styles of a run; their weights add up to `weight`.

        Raises:
            ValueError: every weight is 0.
        """
        total = sum(sample.weight for sample in self.samples)
        if not total > 0:
            raise ValueError("every weight of this style target is 0")
        shares = [(sample, weight * sample.weight / total) for sample in self.samples if sample.weight > 0]
        return [SavedStyle(sample, share, region, self.extractor, self.extractor_id) for sample, share in shares]


@dataclasses.dataclass(frozen=True, eq=False)
class SavedStyle:
    """One sample of a `StyleTarget` as a `Style`."""

    sample: _Sample
    weight: float
    region: int
    extractor: str
    extractor_id: str

    @property
    def palette(self) -> color.Palette:
        """Mean and covariance of the colors of the image it was made from."""
        return self.sample.palette

    def fingerprint(self) -> str:
        """A hash of its statistics and its weight."""
        return fingerprint(self.weight, self.sample.statistics)

    def measure(self, objective: Objective, long_side: int, regions: int) -> Measured:
        """See `Style.measure`; the statistics of the nearest size are looked up."""
        self.check(objective.losses, objective.extractor)
        side = self._nearest_side(objective.losses, long_side)
        whole = objective_for(objective.losses, objective.extractor)
        plain, guided = _specs(whole, 0), _specs(whole, regions)
        found: list[Statistic | None] = []
        for loss, shape, goal in zip(objective.losses, plain, guided, strict=True):
            if not loss.uses_style:
                found.append(None)
                continue
            if regions and not loss.additive:
                raise ValueError(f"the loss {loss.name!r} cannot use a StyleTarget with masks: pass the style's image")
            tensors = [tf.constant(each) for each in self.sample.statistics[fingerprint(loss)][side]]
            statistic = tf.nest.pack_sequence_as(shape, tensors)
            found.append(tf.nest.map_structure(self._in_region, statistic, goal))
        return Measured(tuple(found), self.sample.areas[side])

    def check(self, losses: Sequence[Loss], extractor: Extractor) -> None:
        """Raise `ValueError` unless it was made for these losses and this extractor."""
        if self.extractor_id != (needed := fingerprint(extractor)):
            why = reason_unidentified(needed) or reason_unidentified(self.extractor_id)
            raise ValueError(
                f"this style target was made with {self.extractor} and cannot be used with {extractor}"
                + (f": they cannot be compared, since {why}" if why else " (another network, or other weights)")
            )
        for loss in losses:
            if loss.uses_style and (needed := fingerprint(loss)) not in self.sample.statistics:
                there = ", ".join(self.sample.losses.values())
                why = reason_unidentified(needed)
                raise ValueError(
                    f"this style target was made for {there} and cannot be used with {loss!r}. "
                    + (f"It cannot be identified: {why}." if why else "Make it with the target() of a StyleTransfer ")
                    + ("" if why else "of the same losses.")
                )

    def _nearest_side(self, losses: Sequence[Loss], long_side: int) -> int:
        """The long side, of those that all these losses were measured at, that is nearest on a logarithmic scale."""
        measured = (self.sample.statistics[fingerprint(loss)] for loss in losses if loss.uses_style)
        sides = set(self.sample.areas).intersection(*measured)
        return min(sides, key=lambda each: abs(math.log(each / long_side)))

    def _in_region(self, tensor: tf.Tensor, goal: tf.TensorSpec) -> tf.Tensor:
        """A statistic of one region placed among those of several, which stay 0; unchanged where it has no regions."""
        if goal.shape.rank == 0 or goal.shape[0] in (None, tensor.shape[0]):
            return tensor
        before, after = self.region, goal.shape[0] - self.region - 1
        return tf.pad(tensor, [[before, after]] + [[0, 0]] * (tensor.shape.rank - 1))


def measure_target(styles: Sequence[Style], objectives: Mapping[int, Objective], extractor: Extractor) -> StyleTarget:
    """The statistics of some styles.

    Args:
        styles: to measure.
        objectives: for each long side of a canvas, in pixels, what measures there.
        extractor: that of the objectives.
    """
    samples = tuple(_measure_sample(style, objectives) for style in styles)
    return StyleTarget(samples, str(extractor), fingerprint(extractor))


def _measure_sample(style: Style, objectives: Mapping[int, Objective]) -> _Sample:
    areas: dict[int, float] = {}
    losses: dict[str, str] = {}
    statistics: dict[str, dict[int, Sequence[np.ndarray]]] = {}
    for side, objective in objectives.items():
        measured = style.measure(objective, side, 0)
        areas[side] = measured.area
        for loss, statistic in zip(objective.losses, measured.statistic, strict=True):
            if loss.uses_style:
                key = fingerprint(loss)
                losses[key] = repr(loss)
                statistics.setdefault(key, {})[side] = [each.numpy() for each in tf.nest.flatten(statistic)]
    return _Sample(style.weight, style.palette, areas, losses, statistics)


def _specs(objective: WholeObjective, regions: int) -> Any:
    """How the losses' statistics are nested and shaped; nothing is computed."""
    image = tf.TensorSpec([1, None, None, 3], tf.float32)
    guide = tf.TensorSpec([1, None, None, regions], tf.float32)
    guides = dict.fromkeys(objective.style_layers, guide) if regions else {}
    return objective.target.outputs(image, guides)


def _sample(stored: Archive, number: int, about: Mapping[str, Any]) -> _Sample:
    areas = {int(side): float(area) for side, area in about["areas"]}
    losses = {str(key): str(text) for key, text in about["losses"]}

    def tensors(index: int, side: int) -> list[np.ndarray]:
        names = (f"{number}/{index}/{side}/{i}" for i in itertools.count())
        return [stored[name] for name in itertools.takewhile(stored.headers.__contains__, names)]

    statistics = {
        key: {side: found for side in areas if (found := tensors(index, side))} for index, key in enumerate(losses)
    }
    colors = color.Palette(stored[f"{number}/mean"], stored[f"{number}/covariance"])
    return _Sample(float(about["weight"]), colors, areas, losses, statistics)
