"""What the losses that sort, search or transport share: the style as clouds of vectors, one for each region."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence

import tensorflow as tf

from neural_style.images.augmentation import Copy
from neural_style.losses.base import Context, Features, Loss, Statistic
from neural_style.losses.sampling import flat

__all__ = ["PointSetLoss"]


class PointSetLoss(Loss):
    """A loss between the vectors of a picture and those of a style, wherever they stand.

    With guides each region has a cloud of its own, compared with its own style's, as in the guided transport of
    Kolkin et al. (2019): a vector belongs to a region where the guide is at least half of its largest value there. A
    region counts by its share of the picture.
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
        """For each cloud, by a layer whose guide fits it, a map or a tuple of maps (1, rows, columns, channels)."""

    def summarize(self, cloud: Statistic) -> Statistic:
        """What is kept of a cloud, the map or maps of one region as (1, 1, positions, channels)."""
        return cloud

    @abc.abstractmethod
    def distance(self, ours: Statistic, style: Statistic) -> tf.Tensor:
        """How far two clouds are apart, both as they are told; a scalar."""

    def statistic(self, features: Features, context: Context) -> Statistic:
        found = {}
        for layer, maps in self.feature_maps(features, context).items():
            inside = _inside(tf.nest.flatten(maps)[0], context.guides.get(layer))
            found[layer] = tuple((share, self.summarize(_part(maps, where))) for share, where in inside)
        return found

    def compare(self, statistic: Statistic, target: Statistic) -> tf.Tensor:
        """The mean over clouds, each the mean over regions."""
        distances = []
        for layer, ours in statistic.items():
            if len(ours) == 1:
                distances.append(self.distance(ours[0][1], target[layer][0][1]))
                continue
            whole = tf.add_n([share for share, _ in ours])
            parts = [share * self._if_any(*both) for (share, _), *both in zip(ours, ours, target[layer], strict=True)]
            distances.append(tf.add_n(parts) / (whole + 1e-8))
        return self.average(distances)

    def average(self, distances: list[tf.Tensor]) -> tf.Tensor:
        """Of the clouds' distances, in the order of `feature_maps`."""
        return tf.add_n(distances) / len(distances)

    def concatenate(self, statistics: Sequence[Statistic]) -> Statistic:
        """One statistic of a style and its copies, where what is told of a cloud is the cloud."""

        def union(*maps: tf.Tensor) -> tf.Tensor:
            return tf.concat([flat(each) for each in maps], axis=0)[None, None]

        found = {}
        for layer, first in statistics[0].items():
            clouds = [[told for _, told in statistic[layer]] for statistic in statistics]
            unions = [tf.nest.map_structure(union, *same) for same in zip(*clouds, strict=True)]
            found[layer] = tuple((share, told) for (share, _), told in zip(first, unions, strict=True))
        return found

    def _if_any(self, ours: Statistic, style: Statistic) -> tf.Tensor:
        """How far they are apart, and 0 for a region that either does not have."""
        both = tf.minimum(ours[0], style[0]) > 0.0
        return tf.cond(both, lambda: self.distance(ours[1], style[1]), lambda: tf.constant(0.0))


def _inside(maps: tf.Tensor, guide: tf.Tensor | None) -> list[tuple[tf.Tensor, tf.Tensor | None]]:
    """For each region its weight in the picture and which of a map's vectors are in it, None for all."""
    if guide is None:
        return [(tf.constant(1.0), None)]
    # Averaged, not sampled: a region of which any cell has a part keeps a vector on the coarsest grid.
    fitted = flat(tf.image.resize(guide, tf.shape(maps)[1:3], antialias=True))
    found = []
    for column in tf.unstack(fitted, guide.shape[-1], axis=-1):
        largest = tf.reduce_max(column)
        found.append((tf.reduce_sum(column), (column >= 0.5 * largest) & (column > 0.0)))
    return found


def _part(maps: Statistic, where: tf.Tensor | None) -> Statistic:
    """The vectors of each map that are in a region, all of them as the map itself."""
    if where is None:
        return maps
    return tf.nest.map_structure(lambda each: tf.boolean_mask(flat(each), where)[None, None], maps)
