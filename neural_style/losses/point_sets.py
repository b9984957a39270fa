"""Base class of losses that compare sets of feature vectors, one set per mask region."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence

import tensorflow as tf

from neural_style.images.augmentation import Copy
from neural_style.losses.base import Context, Features, Loss, Statistic
from neural_style.losses.sampling import flat

__all__ = ["PointSetLoss"]


class PointSetLoss(Loss):
    """Base class of losses that compare the feature vectors of an image with those of a style, regardless of position.

    With guides, each region has its own point set, which is compared with that of its own style, as in the guided
    transport of Kolkin et al. (2019). A vector belongs to a region if the guide is at least half of its largest value
    there. Regions are weighted by their share of the image.
    """

    additive = False
    guided = True
    uses_style = True

    @property
    def copies(self) -> tuple[Copy, ...]:
        """Rotated and scaled copies of the style whose vectors are added to its set; empty for the style alone."""
        return ()

    @abc.abstractmethod
    def feature_maps(self, features: Features, context: Context) -> Mapping[str, Statistic]:
        """The maps whose vectors form the point sets.

        Args:
            features: see `Loss.statistic`.
            context: see `Loss.statistic`.

        Returns:
            For each point set a map, or a tuple of maps, (1, rows, columns, channels), under the name of a layer whose
            guide applies to it.
        """

    def summarize(self, points: Statistic) -> Statistic:
        """Summary of one point set, by default the points themselves.

        Args:
            points: a map or a tuple of maps, as by `feature_maps`; for one of several regions (1, 1, positions,
                channels).
        """
        return points

    @abc.abstractmethod
    def distance(self, summary: Statistic, target: Statistic) -> tf.Tensor:
        """Distance between two point sets, given by their summaries; a scalar."""

    def statistic(self, features: Features, context: Context) -> Statistic:
        found = {}
        for layer, maps in self.feature_maps(features, context).items():
            regions = _regions(tf.nest.flatten(maps)[0], context.guides.get(layer))
            found[layer] = tuple((share, self.summarize(_select(maps, inside))) for share, inside in regions)
        return found

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        """The average over point sets of the weighted mean over regions."""
        distances = []
        for layer, regions in statistic.items():
            if len(regions) == 1:
                distances.append(self.distance(regions[0][1], target[layer][0][1]))
                continue
            whole = tf.add_n([share for share, _ in regions])
            parts = [
                region[0] * self._distance_if_any(region, style)
                for region, style in zip(regions, target[layer], strict=True)
            ]
            distances.append(tf.add_n(parts) / (whole + 1e-8))
        return self.average(distances)

    def average(self, distances: list[tf.Tensor]) -> tf.Tensor:
        """The mean of the distances of the point sets, which are in the order of `feature_maps`."""
        return tf.add_n(distances) / len(distances)

    def concatenate(self, statistics: Sequence[Statistic]) -> Statistic:
        """The statistic of the union of a style and its copies, for a loss whose summary is the points themselves."""

        def union(*maps: tf.Tensor) -> tf.Tensor:
            return tf.concat([flat(each) for each in maps], axis=0)[None, None]

        found = {}
        for layer, first in statistics[0].items():
            sets = [[points for _, points in statistic[layer]] for statistic in statistics]
            unions = [tf.nest.map_structure(union, *same) for same in zip(*sets, strict=True)]
            found[layer] = tuple((share, points) for (share, _), points in zip(first, unions, strict=True))
        return found

    def _distance_if_any(self, region: Statistic, target: Statistic) -> tf.Tensor:
        """Distance between two regions with their shares; 0 if either is empty."""
        both = tf.minimum(region[0], target[0]) > 0.0
        return tf.cond(both, lambda: self.distance(region[1], target[1]), lambda: tf.constant(0.0))


def _regions(maps: tf.Tensor, guide: tf.Tensor | None) -> list[tuple[tf.Tensor, tf.Tensor | None]]:
    """For each region its weight, and which of the map's vectors are inside; None for all."""
    if guide is None:
        return [(tf.constant(1.0), None)]
    # Averaged, not sampled: a region that covers part of any cell keeps a vector on the coarsest grid.
    resized = flat(tf.image.resize(guide, tf.shape(maps)[1:3], antialias=True))
    found = []
    for column in tf.unstack(resized, guide.shape[-1], axis=-1):
        largest = tf.reduce_max(column)
        found.append((tf.reduce_sum(column), (column >= 0.5 * largest) & (column > 0.0)))
    return found


def _select(maps: Statistic, inside: tf.Tensor | None) -> Statistic:
    """The vectors of each map that are inside a region; for None the maps unchanged."""
    if inside is None:
        return maps
    return tf.nest.map_structure(lambda each: tf.boolean_mask(flat(each), inside)[None, None], maps)
