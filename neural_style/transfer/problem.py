"""One transfer problem: what is minimized at each scale, from the inputs and the settings of a run."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from neural_style import images
from neural_style._fingerprint import fingerprint
from neural_style.images import masks
from neural_style.losses import Assignment, Features, Loss, StyleVectors, Sum
from neural_style.objective import Assignments, Objective, Several, Targets, choose_objective, crop_guides
from neural_style.optimizers import Evaluation, Optimizer
from neural_style.scales import Scale, SingleScale
from neural_style.transfer import canvas
from neural_style.transfer.inputs import Inputs
from neural_style.transfer.settings import Settings
from neural_style.transfer.styles.blending import blend_targets
from neural_style.transfer.styles.image_style import ImageStyle

__all__ = ["Evaluator", "Problem", "Stage", "library_versions", "make_problem"]


class Stage(NamedTuple):
    """One scale of a run.

    Attributes:
        scale: size of the canvas, and how many steps.
        objective: what is minimized, on which network, in which tiles.
        optimizer: what moves the canvas.
    """

    scale: Scale
    objective: Objective
    optimizer: Optimizer

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the canvas in pixels."""
        return self.scale.width, self.scale.height


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What a run minimizes, stage after stage.

    Attributes:
        settings: how it is painted.
        inputs: what it works on.
        loss: the terms that can be measured on these inputs.
        stages: in order, the last at the final size.
    """

    settings: Settings
    inputs: Inputs
    loss: Sum
    stages: tuple[Stage, ...]

    @property
    def detail_strength(self) -> float:
        """The settings' own where the canvas begins as the content, else 0."""
        return self.settings.detail_strength if self.inputs.starts_as_content else 0.0

    def start(self) -> np.ndarray:
        """The first canvas, float32 (1, height, width, 3)."""
        return canvas.start(self.inputs, self.stages[0].size)

    def upsample(self, pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The canvas a scale begins with, from the last canvas of the scale before."""
        return canvas.upsample(pixels, size, self.inputs.content, self.detail_strength)

    def render(self, pixels: np.ndarray) -> np.ndarray:
        """The image made of a canvas of any size; see `canvas.render`."""
        return canvas.render(self.inputs, pixels)

    def evaluator(self, stage: Stage) -> Evaluator:
        """The loss and gradient of a stage, with its content and targets computed."""
        inputs, objective, size = self.inputs, stage.objective, stage.size
        content = None if inputs.content is None else tf.constant(images.resize(inputs.content, size))
        shares = None if inputs.shares is None else masks.resize_mask(inputs.shares, size)
        targets = blend_targets(inputs.styles, objective, max(size), inputs.regions) or (None,) * len(self.loss.terms)
        cover = None if inputs.cover is None or shares is None else masks.coverage(shares)
        return Evaluator(
            objective,
            self.loss,
            None if content is None else objective.content(content),
            targets,
            self._weights(cover),
            self._guides(shares, objective),
            self._previous(size),
            content,
            None if cover is None else tf.constant(cover),
            style_weights=self._style_weights(shares, objective),
        )

    @property
    def refresh(self) -> int:
        """Steps between two matchings of losses whose targets follow the canvas; 0 if there are none."""
        return min((term.loss.refresh for term in self.loss if term.loss.refresh), default=0)

    def _style_weights(self, shares: np.ndarray | None, objective: Objective) -> dict[str, np.ndarray]:
        """The weight of each style at each cell of a matched layer, float32 (1, rows, columns, styles)."""
        layers = {term.loss.grid for term in self.loss if term.loss.refresh}  # type: ignore[attr-defined]
        weights = np.array([style.weight for style in self.inputs.styles], np.float32)
        if shares is None or not layers:
            return dict.fromkeys(layers, weights[None, None, None])
        regions = [style.region for style in self.inputs.styles]
        guides = masks.guides_per_layer(shares, objective.strides(list(layers)))
        return {layer: guide[..., regions] * weights for layer, guide in guides.items()}

    def record(self) -> dict[str, Any]:
        """What the run was asked for and runs on; plain values, fit for JSON."""
        record: dict[str, Any] = {
            "loss": repr(self.loss),
            **self.settings.record(),
            "scales": [tuple(stage.scale) for stage in self.stages],
            "detail_strength": self.detail_strength,
            **self.inputs.record(),
            "tile": self.stages[-1].objective.tile,
            "versions": library_versions(),
        }
        return record | ({"relay": repr(self.settings.relay)} if self._uses_relay() else {})

    def identity(self) -> dict[str, dict[str, Any]]:
        """What a checkpoint has to agree with: inputs, everything that computes, plain settings and versions."""
        record = self.record()
        code = {"loss": fingerprint(self.loss), **self.settings.fingerprints()}
        if self._uses_relay():
            code["relay"] = fingerprint(self.settings.relay)
        plain = {name: value for name, value in record.items() if name not in {*code, "network", "versions", "tile"}}
        plain["precision"] = str(getattr(self.settings.extractor, "precision", None))
        versions = {name: value for name, value in library_versions().items() if name != "python"}
        described = {name: {"fingerprint": value, "text": record[name]} for name, value in code.items()}
        return {"inputs": self.inputs.fingerprints(), "code": described, "settings": plain, "versions": versions}

    def _uses_relay(self) -> bool:
        return any(stage.objective.extractor is not self.settings.extractor for stage in self.stages)

    def _weights(self, cover: np.ndarray | None) -> tf.Tensor:
        """Weight of each term; style losses are means over what is painted, and weigh as much as it is of the image."""
        painted = 1.0 if cover is None else float(cover.mean())
        return tf.constant([term.weight * (painted if term.loss.uses_style else 1.0) for term in self.loss], tf.float32)

    def _guides(self, shares: np.ndarray | None, objective: Objective) -> dict[str, tf.Tensor]:
        """Each region at each layer, times the weight of its styles."""
        if shares is None:
            return {}
        weights = np.zeros(shares.shape[-1], np.float32)
        for style in self.inputs.styles:
            weights[style.region] += style.weight
        strides = objective.strides(objective.style_layers)
        found = masks.guides_per_layer(shares * (weights / weights.max()), strides)
        return {layer: tf.constant(guide) for layer, guide in found.items()}

    def _previous(self, size: tuple[int, int]) -> tf.Tensor | None:
        """The image that is held on to and its weight, at a scale."""
        if self.inputs.previous is None:
            return None
        held, weight = self.inputs.previous[..., :3], self.inputs.previous[..., 3:]
        parts = [images.resize(held, size), masks.resize_mask(weight, size)]
        return tf.constant(np.concatenate(parts, axis=-1))


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluator:
    """An objective with everything but the canvas filled in: from a canvas to its loss and gradient.

    Attributes:
        objective: what is minimized.
        loss: its terms by name.
        content: what is read of the content; see `Objective.content`.
        targets: of each term.
        weights: of each term, float32 (terms,).
        guides: mask regions at each layer.
        previous: see `Inputs.previous`, at the size of the canvas.
        image: the content, float32 (1, height, width, 3); None without one.
        cover: the part of each pixel that is painted, float32 (1, height, width, 1); None for all of it.
        step: the step of the run, an int32 scalar.
        style_weights: of each style at each cell of a matched layer.
        assignments: the matches of losses whose targets follow the canvas; None if there are no such losses.
    """

    objective: Objective
    loss: Sum
    content: Any
    targets: Targets
    weights: tf.Tensor
    guides: Features
    previous: tf.Tensor | None = None
    image: tf.Tensor | None = None
    cover: tf.Tensor | None = None
    step: tf.Tensor | None = None
    style_weights: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    assignments: Assignments | None = None

    def __call__(self, pixels: tf.Tensor) -> Evaluation:
        seen = self._seen(pixels)
        found = self.objective.evaluate(
            seen, self.content, self._fixed, self.weights, self.guides, self.previous, self.step, self.assignments
        )
        return found if self.cover is None else found._replace(gradient=self.cover * found.gradient)

    def _seen(self, pixels: tf.Tensor) -> tf.Tensor:
        """The canvas over the content where only a part is painted: losses see its true surroundings."""
        return pixels if self.cover is None else self.cover * pixels + (1.0 - self.cover) * self.image

    @property
    def _fixed(self) -> Targets:
        """The targets of losses whose targets stay the same."""
        pairs = zip(self.objective.losses, self.targets, strict=True)
        return tuple(None if loss.refresh else target for loss, target in pairs)

    def match(self, pixels: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        """Match the canvas with the styles; see `Objective.match`."""
        vectors = [self._vectors(i) for i in range(len(self.targets))]
        return self.objective.match(self._seen(pixels), self.content, vectors)

    def with_matches(self, matches: Sequence[tf.Tensor | None]) -> Evaluator:
        """The same with targets made of the styles' vectors at these indices."""
        found = tuple(None if index is None else self._assign(i, index) for i, index in enumerate(matches))
        return dataclasses.replace(self, assignments=found if any(each is not None for each in found) else None)

    def _assign(self, number: int, index: tf.Tensor) -> Assignment:
        loss: Any = self.objective.losses[number]
        rows, columns = index.shape[1:3]
        weight = self.style_weights[loss.grid]
        if weight.shape[1] > 1 or weight.shape[2] > 1:
            weight = crop_guides({loss.grid: weight}, {loss.grid: index})[loss.grid].numpy()
        whole = np.broadcast_to(weight, (1, rows, columns, index.shape[-1]))
        return loss.assignment(index, tf.constant(np.ascontiguousarray(whole)), self._vectors(number) or ())

    def _vectors(self, number: int) -> tuple[StyleVectors, ...] | None:
        """The vectors of each style for a loss whose target follows the canvas; None for the others."""
        target: Any = self.targets[number]
        if not self.objective.losses[number].refresh:
            return None
        return target.targets if isinstance(target, Several) else (target,)

    def at(self, step: int) -> Evaluator:
        """The same at another step of the run, counted from 0 over all scales."""
        return dataclasses.replace(self, step=tf.constant(step))

    def guilty_terms(self, pixels: tf.Tensor) -> list[str]:
        """Names of the terms whose gradient is not finite, each evaluated alone: their sum would hide the others."""
        return [
            name for name, alone in zip(self.loss.names, self._split(), strict=True) if not alone._is_finite(pixels)
        ]

    def _split(self) -> Iterator[Evaluator]:
        """An evaluator for each term alone."""
        for index in range(len(self.targets)):
            objective = self.objective.only(index)
            yield dataclasses.replace(
                self,
                objective=objective,
                content=None if self.image is None else objective.content(self.image),
                targets=(self.targets[index],),
                weights=self.weights[index : index + 1],
                assignments=None if self.assignments is None else (self.assignments[index],),
            )

    def _is_finite(self, pixels: tf.Tensor) -> bool:
        return bool(np.isfinite(tf.nn.l2_loss(self(pixels).gradient)))


def make_problem(settings: Settings, inputs: Inputs, *, steps: int | None) -> Problem:
    """Pose a run: choose losses, scales, networks, tiles and optimizers.

    Args:
        settings: how it is painted.
        inputs: what it works on.
        steps: total over all scales; None for the schedule's own number.

    Raises:
        ValueError: an image is too small for the layers used, nothing is left to minimize, or a loss takes no masks.
        MemoryError: the image does not fit into memory; the text names a tile or a size that would.
    """
    loss = settings.loss.restricted(
        content=inputs.content is not None, style=bool(inputs.styles), previous=inputs.previous is not None
    )
    losses = tuple(term.loss for term in loss)
    objective = choose_objective(
        losses, settings.extractor, settings.final_optimizer, inputs.size, settings.tile, inputs.regions
    )
    _check_size(inputs, objective)
    _check_masks(inputs, losses)
    scales = tuple(settings.scales(inputs.size, steps))
    if isinstance(inputs.init, str) and inputs.init == "content" and not objective.style_layers:
        # Nothing new to paint: coarse canvases would only cost the content its detail.
        scales = SingleScale()(inputs.size, sum(scale.steps for scale in scales))
    scales = _large_enough(scales, objective.smallest_side)
    return Problem(settings, inputs, loss, _stages(settings, inputs, objective, scales))


def _large_enough(scales: Sequence[Scale], least: int) -> tuple[Scale, ...]:
    """The scales on which every layer has a cell; the first makes the steps of those before it as well."""
    first = next((i for i, scale in enumerate(scales) if min(scale[:2]) >= least), len(scales) - 1)
    steps = sum(scale.steps for scale in scales[: first + 1])
    return scales[first]._replace(steps=steps), *scales[first + 1 :]


def _stages(settings: Settings, inputs: Inputs, objective: Objective, scales: Sequence[Scale]) -> tuple[Stage, ...]:
    """Each scale with its network and optimizer; a style target has the statistics of one network only."""
    relay = settings.relay if all(isinstance(each, ImageStyle) for each in inputs.styles) else None
    parts = [(scale, False) for scale in scales] if relay is None else relay.stages(scales)
    relayed = [(scale.width, scale.height) for scale, is_other in parts if is_other]
    other = objective
    if relay is not None and relayed:
        network: Any = relay.extractor
        other = choose_objective(
            objective.losses, network, settings.final_optimizer, max(relayed), settings.tile, inputs.regions
        )
    final = parts[-1][0][:2]
    return tuple(
        Stage(
            scale,
            other if is_other else objective,
            settings.final_optimizer if number == len(parts) - 1 or scale[:2] == final else settings.optimizer,
        )
        for number, (scale, is_other) in enumerate(parts)
    )


def _check_size(inputs: Inputs, objective: Objective) -> None:
    least = objective.smallest_side
    if min(inputs.size) < least:
        width, height = inputs.size
        raise ValueError(
            f"an image of {width}x{height} is too small: the layers used need {least} pixels a side. "
            f"Ask for a larger size, or for losses on shallower layers."
        )


def _check_masks(inputs: Inputs, losses: Sequence[Loss]) -> None:
    is_seen_through = any(isinstance(each, ImageStyle) and each.mask is not None for each in inputs.styles)
    for loss in losses:
        takes_masks = loss.additive or loss.guided or not loss.uses_style
        if not takes_masks and (inputs.controls.masks or inputs.controls.style_masks or is_seen_through):
            hint = "; the transparency of a style is one: give that style as an opaque image" if is_seen_through else ""
            raise ValueError(f"the loss {loss.name!r} is no sum over positions, so it accepts no masks{hint}")


def library_versions() -> dict[str, str]:
    """Versions for the record of a run, by name."""
    from neural_style import __version__

    return {"neural_style": __version__, "tensorflow": tf.__version__, "python": platform.python_version()}
