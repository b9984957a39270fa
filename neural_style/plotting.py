"""Matplotlib figures of a run: images side by side, losses over the steps, and canvases over time.

Each function returns a Matplotlib `Figure` that is not registered with pyplot: a notebook displays it, `figure.savefig`
saves it, and it is freed with its last reference. Nothing is shown automatically. Requires the extra `[plot]`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neural_style import _optional, images
from neural_style.callbacks.timelapse import Snapshot, Timelapse
from neural_style.transfer.result import Result, Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_evolution", "plot_history", "show"]

DPI = 110


def show(content: Any, style: Any, result: Any, *, height: float = 3.2) -> Figure:
    """Show content, style and result side by side.

    Args:
        content: any source that `stylize` accepts; None omits it.
        style: likewise, or a list of images or `(image, weight)` pairs; None omits it.
        result: a `Result`, or an image.
        height: height of the images, in inches.

    Returns:
        The figure, in which all images have the same height.

    Raises:
        ImportError: Matplotlib is not installed; the message says how to install it.
        ImageError: an image cannot be read.

    Example:
        >>> import numpy as np
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> [axes.get_title() for axes in show(content, style, content).axes]
        ['content', 'style', 'result']
    """
    shown = [] if content is None else [("content", content)]
    styles = [] if style is None else style if isinstance(style, list) else [style]
    for number, each in enumerate(styles, 1):
        image, weight = each if isinstance(each, tuple) else (each, None)
        title = "style" if len(styles) == 1 else f"style {number}"
        shown.append((title if weight is None else f"{title}, weight {weight:g}", image))
    shown.append(("result", result.image if isinstance(result, Result) else result))
    longest = round(2 * height * DPI)
    return _row([(title, _pixels(image, longest)) for title, image in shown], height)


def plot_evolution(timelapse: Timelapse | Sequence[Snapshot], *, count: int = 6, height: float = 2.0) -> Figure:
    """Show canvases from the first steps of a run to its last, all at the same size.

    Args:
        timelapse: a `Timelapse` that was a callback of a run, or its frames.
        count: maximum number of images.
        height: height of the images, in inches.

    Returns:
        The figure; the title of each image is its step and size.

    Raises:
        ImportError: Matplotlib is not installed; the message says how to install it.
        ValueError: there are no frames yet, or `count` is less than 1.

    Example:
        >>> import numpy as np
        >>> from neural_style import StyleTransfer
        >>> timelapse = Timelapse()
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> result = StyleTransfer(extractor="vgg16").run(content, style, size=48, steps=3, callbacks=[timelapse])
        >>> len(plot_evolution(timelapse, count=2).axes)
        2
    """
    frames = timelapse.frames if isinstance(timelapse, Timelapse) else list(timelapse)
    if not frames or count < 1:
        raise ValueError(f"at least 1 canvas is needed; there are {len(frames)}, and count is {count}")
    chosen = sorted({round(index) for index in np.linspace(len(frames) - 1, 0, min(count, len(frames)))})
    return _row([(_caption(frames[index].step), np.asarray(frames[index].image)) for index in chosen], height)


def plot_history(result: Result | Sequence[Step], *, axes: Axes | None = None) -> Figure:
    """Plot the loss and its terms over the steps, with a vertical line where the canvas size changes.

    The terms are weighted, so that they add up to the loss. The loss axis is logarithmic.

    Args:
        result: a `Result`, or its history.
        axes: axes to draw on; None for a new figure.

    Returns:
        The figure that contains the axes.

    Raises:
        ImportError: Matplotlib is not installed; the message says how to install it.
        ValueError: there are no steps.

    Example:
        >>> import numpy as np
        >>> from neural_style import StyleTransfer
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> result = StyleTransfer(extractor="vgg16").run(content, style, size=48, steps=3)
        >>> [line.get_label() for line in plot_history(result).axes[0].get_lines()]
        ['loss', 'content', 'nearest', 'moments', 'strokes']
    """
    history = result.history if isinstance(result, Result) else list(result)
    if not history:
        raise ValueError("there are no steps to plot")
    if axes is None:
        axes = _figure((7.0, 3.6)).add_subplot()
    numbers = [step.step for step in history]
    marker = "o" if len(history) == 1 else None
    axes.plot(numbers, [step.loss for step in history], color="black", linewidth=2, marker=marker, label="loss")
    for name in history[0].terms:
        axes.plot(numbers, [step.terms[name] or np.nan for step in history], linewidth=1.2, marker=marker, label=name)
    for before, step in zip([None, *history], history, strict=False):
        if before is None or before.scale != step.scale:
            _mark_scale(axes, step, line=before is not None)
    axes.set(xlabel="step", ylabel="weighted loss", yscale="log")
    axes.legend(frameon=False, fontsize="small", loc="upper right")
    return axes.figure  # type: ignore[return-value]


def _mark_scale(axes: Axes, step: Step, *, line: bool) -> None:
    """Write the size that begins at a step along the top of the axes."""
    if line:
        axes.axvline(step.step - 0.5, color="gray", linestyle=":", linewidth=1)
    width, height = step.scale
    position = (step.step - 0.5 if line else step.step, 1.01)
    axes.annotate(f"{width}x{height}", position, xycoords=("data", "axes fraction"), fontsize="small", color="gray")


def _pixels(source: Any, longest: int) -> np.ndarray:
    """Read an image and reduce its long side to `longest`: uint8, (height, width, 3 | 4)."""
    from PIL import Image

    data = images.read(source, size=longest)
    image = images.to_pil(data.pixels, data.alpha)
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _caption(step: Step) -> str:
    width, height = step.scale
    return f"step {step.step}\n{width}x{height}"


def _row(titled: Sequence[tuple[str, np.ndarray]], height: float) -> Figure:
    """Draw images of equal height in a row, with titles."""
    ratios = [pixels.shape[1] / pixels.shape[0] for _, pixels in titled]
    figure = _figure((height * sum(ratios) + 0.1 * len(ratios), height + 0.5))
    cells = figure.subplots(1, len(titled), squeeze=False, gridspec_kw={"width_ratios": ratios})[0]
    for axes, (title, pixels) in zip(cells, titled, strict=True):
        axes.imshow(pixels, interpolation="antialiased", aspect="auto")
        axes.set_title(title, fontsize="small")
        axes.set_axis_off()
    return figure


def _figure(size: tuple[float, float]) -> Figure:
    """Make a figure that is not registered with pyplot but is displayed by notebooks."""
    _optional.require("matplotlib", extra="plot")
    from matplotlib.figure import Figure

    class Displayed(Figure):
        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png")
            return buffer.getvalue()

    return Displayed(figsize=size, dpi=DPI, layout="constrained")
