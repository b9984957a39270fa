"""Plots of a run, by Matplotlib: pictures side by side, losses over the steps, the picture as it came about.

Each function gives back a Matplotlib `Figure` that no global state knows of: it is shown by a notebook, saved by
`figure.savefig`, and gone with its last reference. Nothing is shown by itself. Needs the extra `[plot]`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neural_style import images
from neural_style.callbacks.timelapse import Snapshot, Timelapse
from neural_style.transfer.result import Result, Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_evolution", "plot_history", "show"]

DOTS = 110  # an inch


def show(content: Any, style: Any, result: Any, *, height: float = 3.2) -> Figure:
    """Content, style and result side by side.

    Args:
        content: whatever `stylize` takes for one; None leaves it out.
        style: likewise, or a list of pictures or `(picture, weight)` pairs; None leaves it out.
        result: a `Result`, or a picture.
        height: of the pictures, in inches.

    Returns:
        The figure; each picture has the same height.

    Raises:
        ImportError: Matplotlib is missing; the text says what to install.
        ImageError: a picture cannot be read.

    Example:
        >>> import numpy as np
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> [axes.get_title() for axes in show(content, style, content).axes]
        ['content', 'style', 'result']
    """
    pictures = [] if content is None else [("content", content)]
    styles = [] if style is None else style if isinstance(style, list) else [style]
    for number, each in enumerate(styles, 1):
        picture, weight = each if isinstance(each, tuple) else (each, None)
        title = "style" if len(styles) == 1 else f"style {number}"
        pictures.append((title if weight is None else f"{title}, weight {weight:g}", picture))
    pictures.append(("result", result.image if isinstance(result, Result) else result))
    longest = round(2 * height * DOTS)
    return _row([(title, _pixels(picture, longest)) for title, picture in pictures], height)


def plot_evolution(timelapse: Timelapse | Sequence[Snapshot], *, count: int = 6, height: float = 2.0) -> Figure:
    """A strip of canvases from a run's first steps to its last, each shown at the same size.

    Args:
        timelapse: a `Timelapse` that watched a run, or its frames.
        count: how many pictures at most.
        height: of the pictures, in inches.

    Returns:
        The figure; above each picture its step and size.

    Raises:
        ImportError: Matplotlib is missing; the text says what to install.
        ValueError: nothing has been painted yet, or `count` is less than 1.

    Example:
        >>> import numpy as np
        >>> from neural_style import StyleTransfer
        >>> film = Timelapse()
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> result = StyleTransfer(extractor="vgg16").run(content, style, size=48, steps=3, callbacks=[film])
        >>> len(plot_evolution(film, count=2).axes)
        2
    """
    frames = timelapse.frames if isinstance(timelapse, Timelapse) else list(timelapse)
    if not frames or count < 1:
        raise ValueError(f"a strip shows at least 1 of a run's canvases; there are {len(frames)}, and count is {count}")
    chosen = sorted({round(place) for place in np.linspace(len(frames) - 1, 0, min(count, len(frames)))})
    return _row([(_caption(frames[index].step), np.asarray(frames[index].image)) for index in chosen], height)


def plot_history(result: Result | Sequence[Step], *, axes: Axes | None = None) -> Figure:
    """The loss and each term's part of it over the steps, with a line where a new size begins.

    Terms are drawn as they count: weighted, so that they add up to the loss. The loss axis is logarithmic.

    Args:
        result: a `Result`, or its history.
        axes: where to draw; None for a figure of its own.

    Returns:
        The figure that holds the axes.

    Raises:
        ImportError: Matplotlib is missing; the text says what to install.
        ValueError: there are no steps.

    Example:
        >>> import numpy as np
        >>> from neural_style import StyleTransfer
        >>> content, style = np.zeros((40, 60, 3), np.uint8), np.full((50, 50, 3), 200, np.uint8)
        >>> result = StyleTransfer(extractor="vgg16").run(content, style, size=48, steps=3)
        >>> [line.get_label() for line in plot_history(result).axes[0].get_lines()]
        ['loss', 'content', 'contours', 'style', 'total_variation']
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
    """The size that begins at a step, written along the axes' top."""
    if line:
        axes.axvline(step.step - 0.5, color="grey", linestyle=":", linewidth=1)
    width, height = step.scale
    place = (step.step - 0.5 if line else step.step, 1.01)
    axes.annotate(f"{width}x{height}", place, xycoords=("data", "axes fraction"), fontsize="small", color="grey")


def _pixels(picture: Any, longest: int) -> np.ndarray:
    """Any picture, no larger than it will be shown: float in [0, 1], (height, width, 3 | 4)."""
    from PIL import Image

    read = images.read(picture, size=longest)
    image = images.to_pil(read.pixels, read.alpha)
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _caption(step: Step) -> str:
    width, height = step.scale
    return f"step {step.step}\n{width}x{height}"


def _row(pictures: Sequence[tuple[str, np.ndarray]], height: float) -> Figure:
    """Pictures of equal height in a row, with titles."""
    shapes = [pixels.shape[1] / pixels.shape[0] for _, pixels in pictures]
    figure = _figure((height * sum(shapes) + 0.1 * len(shapes), height + 0.5))
    cells = figure.subplots(1, len(pictures), squeeze=False, gridspec_kw={"width_ratios": shapes})[0]
    for axes, (title, pixels) in zip(cells, pictures, strict=True):
        axes.imshow(pixels, interpolation="antialiased", aspect="auto")
        axes.set_title(title, fontsize="small")
        axes.set_axis_off()
    return figure


def _figure(size: tuple[float, float]) -> Figure:
    """A figure that pyplot does not know of, and that a notebook shows all the same."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need Matplotlib; run: pip install 'tf-neural-style[plot]'") from error

    class Shown(Figure):
        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png")
            return buffer.getvalue()

    return Shown(figsize=size, dpi=DOTS, layout="constrained")
