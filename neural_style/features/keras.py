"""Any Keras model as a feature extractor.

A model that Keras knows as a graph of layers (functional or sequential) is run layer by layer, up to the deepest layer
that is asked for. Its graph needs not be rebuilt for that: neither a fixed size of the input nor a classifier on top is
in the way, and models within the model are run layer by layer as well.
"""

from __future__ import annotations

import bisect
import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from neural_style._fingerprint import fingerprint
from neural_style.features.base import ReceptiveField, check_layers

__all__ = ["KerasExtractor", "is_keras"]

PROBE = (1024, 1024 + 8192)
"""(rows, columns) of the image whose maps' shapes tell the strides; nothing of this size is computed."""


class KerasExtractor:
    """An extractor made of any functional or sequential Keras model that has one image as its input.

    The model is not changed: its own data type and padding apply. It may be made for images of a fixed size, end in a
    classifier, and contain other models: a layer of an inner model goes by its own name if no other layer has it, else
    by its path, such as `base/conv1`.

    Args:
        model: a Keras model whose input is (batch, height, width, channels), with its weights.
        preprocess: from RGB in [0, 1] to the input the model was trained on. None passes the pixels through.
        fields: `{layer name: ReceptiveField}` of the layers to offer. None offers every layer whose output is a map of
            rank 4 that grows with the image, with strides computed from the model's shapes; the radius is then
            unbounded, which rules out tiled runs but nothing else. A map may have more or fewer cells than the image
            has strides, as behind a padding layer: masks are laid over its middle.

    Raises:
        TypeError: the model is no Keras model, or one of the user's own class whose layers Keras does not know.
        ValueError: the model has no weights yet, takes other inputs than one image, has no layer whose output is such
            a map, or lacks one of `fields`.

    Example:
        >>> import keras
        >>> model = keras.applications.MobileNetV2(weights=None, include_top=False)
        >>> extractor = KerasExtractor(model, preprocess=lambda image: image * 2 - 1)
        >>> extractor(tf.zeros([1, 64, 48, 3]), ["block_1_expand_relu"])["block_1_expand_relu"].shape
        TensorShape([1, 32, 24, 96])
    """

    UNBOUNDED = 2**31 - 1

    def __init__(
        self,
        model: Any,
        preprocess: Callable[[tf.Tensor], tf.Tensor] | None = None,
        *,
        fields: Mapping[str, ReceptiveField] | None = None,
    ) -> None:
        _check_model(model, preprocess)
        self.model = model
        self.preprocess = preprocess
        self.layers: Mapping[str, ReceptiveField]
        if fields is None:
            self.layers = _find_fields(model, self.UNBOUNDED)
        else:
            self.layers = {name: ReceptiveField(*field) for name, field in fields.items()}
            check_layers(list(fields), dict.fromkeys(_names(model).values(), ReceptiveField(1, 0)))

    def __repr__(self) -> str:
        return f"KerasExtractor({self.model.name!r}, {len(self.layers)} layers)"

    def fingerprint(self) -> str:
        """Identity of what a call computes: the model with its weights, `preprocess`, and the layers' fields.

        Computed at each call, since the model may be trained in between. Attributes that a subclass adds count too.
        """
        return fingerprint(type(self), vars(self))

    def __call__(self, image: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        check_layers(layers, self.layers)
        if self.preprocess is not None:
            image = self.preprocess(image)
        names = _names(self.model)
        found: dict[str, tf.Tensor] = {}

        def run(path: str, operation: Any, *args: Any, **kwargs: Any) -> Any:
            if "training" in inspect.signature(operation.call).parameters:
                kwargs["training"] = False
            return operation(*args, **kwargs)

        def record(path: str, value: Any) -> bool:
            name = names.get(path, "")
            if name in layers:
                found.setdefault(name, value)  # the first result of a layer that is called twice
            return len(found) == len(set(layers))

        _walk(self.model, tf.cast(image, self.model.inputs[0].dtype), run, record)
        return {name: found[name] for name in layers}

    def smallest_side(self, layers: Sequence[str]) -> int:
        """Fewest pixels per side of an image that has a cell at each of these layers, also without padding."""

        def has_cells(side: int) -> bool:
            return set(layers) <= _shapes(self.model, (side, side))[0].keys()

        least = max((self.layers[name].stride for name in layers), default=1)
        if has_cells(least) or not has_cells(PROBE[0]):
            return least
        return least + bisect.bisect_left(range(least, PROBE[0]), True, key=has_cells)


def is_keras(value: Any) -> bool:
    """Whether a value looks like a Keras model or layer, of any version."""
    return not isinstance(value, type) and hasattr(value, "get_config") and hasattr(value, "get_weights")


class _Enough(Exception):
    """Ends a walk through a model early."""


def _walk(model: Any, image: Any, call: Callable[..., Any], record: Callable[[str, Any], bool], path: str = "") -> Any:
    """Run a model on an image layer by layer, and its inner models likewise.

    Args:
        model: a functional or sequential model.
        image: a tensor, or a `keras.KerasTensor` if `call` computes shapes only.
        call: `(path, operation, *args, **kwargs) -> value` applies one layer.
        record: `(path, value) -> bool` is handed the result of each layer; True ends the walk.
        path: of the model within the outermost, with a slash at its end.
    """
    try:
        return _walk_graph(model, image, call, record, path)
    except _Enough:
        if path:
            raise
        return None


def _walk_graph(model: Any, image: Any, call: Callable[..., Any], record: Callable[[str, Any], bool], path: str) -> Any:
    def apply(operation: Any, *args: Any, **kwargs: Any) -> Any:
        own = path + operation.name
        if _is_graph(operation) and len(args) == 1:
            value = _walk(operation, args[0], call, record, f"{own}/")
        else:
            value = call(own, operation, *args, **kwargs)
        if record(own, value):
            raise _Enough
        return value

    if hasattr(model, "_run_through_graph"):  # what a functional model's own `call` does, for any size of the input
        return model._run_through_graph(image, operation_fn=lambda operation: functools.partial(apply, operation))
    for layer in model.layers:
        image = apply(layer, image)
    return image


def _is_graph(operation: Any) -> bool:
    """Whether Keras knows the layers of a model, and nothing but these is computed."""
    import keras

    is_model = isinstance(operation, keras.Sequential) or hasattr(operation, "_run_through_graph")
    return is_model and type(operation).call.__module__.partition(".")[0] == "keras"


def _names(model: Any) -> dict[str, str]:
    """For the path of each layer the name it is offered by."""
    paths = _paths(model)
    last = [path.rpartition("/")[2] for path in paths]
    return {path: short if last.count(short) == 1 else path for path, short in zip(paths, last, strict=True)}


def _paths(model: Any, path: str = "") -> list[str]:
    inner = [_paths(layer, f"{path}{layer.name}/") for layer in model.layers if _is_graph(layer)]
    return [path + layer.name for layer in model.layers] + [each for paths in inner for each in paths]


def _find_fields(model: Any, radius: int) -> dict[str, ReceptiveField]:
    """Every layer whose output is a map that grows with the image, with its stride."""
    shapes, failed = _shapes(model, PROBE)
    strides = {name: _stride(shape[1:3]) for name, shape in shapes.items()}
    found = {name: ReceptiveField(stride, radius) for name, stride in strides.items() if stride is not None}
    if not found:
        failed += [f"the map of {name!r} has the shape {shape} whatever the image" for name, shape in shapes.items()]
        why = f": {failed[0]}" if failed else ""
        raise ValueError(
            f"the model {model.name!r} has no layer whose output is a map (batch, height, width, channels) that grows "
            f"with the image{why}"
        )
    return found


def _shapes(model: Any, size: tuple[int, int]) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """The shape of each map of an image of (rows, columns), and why layers cannot be computed at that size."""
    import keras

    names, failed = _names(model), []
    shapes: dict[str, tuple[int, ...]] = {}
    missing = object()  # the result of a layer that fails, and of those that depend on it

    def spec(path: str, operation: Any, *args: Any, **kwargs: Any) -> Any:
        if any(each is missing for each in keras.tree.flatten((args, kwargs))):
            return missing
        try:
            return operation.compute_output_spec(*args, **kwargs)
        except Exception as error:  # whatever a layer says to a size it was not made for
            reason = str(error).strip().partition("\n")[0]
            failed.append(f"{path!r} fails at {size[1]}x{size[0]} pixels ({reason})")
            return missing

    def record(path: str, value: Any) -> bool:
        shape = tuple(getattr(value, "shape", ()))
        if path in names and len(shape) == 4 and None not in shape and min(shape) > 0:
            shapes.setdefault(names[path], shape)
        return False

    image = model.inputs[0]
    with contextlib.suppress(ValueError):  # an output is missing
        _walk(model, keras.KerasTensor((1, *size, image.shape[-1]), image.dtype), spec, record)
    return shapes, failed


def _stride(size: Sequence[int]) -> int | None:
    """The stride of a map of the probe, from what more columns add; None for a map that no single stride describes."""
    if size[1] <= size[0]:
        return None
    exact = (PROBE[1] - PROBE[0]) / (size[1] - size[0])
    stride = round(exact)
    is_whole = stride >= 1 and abs(exact - stride) < 0.25
    is_square = 0.75 < stride * size[0] / PROBE[0] < 1.5  # where each axis has its own stride, rows do not fit
    return stride if is_whole and is_square else None


def _check_model(model: Any, preprocess: Any) -> None:
    """Raise unless this is a built graph of layers with one image as its input."""
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"Keras runs on {keras.backend.backend()} in this process, and an extractor needs it on TensorFlow; set "
            "KERAS_BACKEND=tensorflow before Keras is imported"
        )
    if preprocess is not None and not callable(preprocess):
        raise TypeError(f"preprocess must be a function of an image, or None, not {preprocess!r}")
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a Keras 3 model, such as keras.applications.VGG16(), not {_described(model)}")
    if not isinstance(model, keras.Sequential) and not hasattr(model, "_run_through_graph"):
        raise TypeError(
            f"{type(model).__name__} is a model class of its own, whose layers Keras does not know; make a functional "
            "model of it, keras.Model(inputs, outputs), or write an extractor: any object with `layers` and a call"
        )
    if not model.built or not model.layers:
        raise ValueError(
            f"the model {model.name!r} is not built and has no weights yet; call model.build((None, None, None, 3)), "
            "or begin it with keras.Input((None, None, 3)), and load its weights"
        )
    inputs = getattr(model, "inputs", [])
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        shapes = ", ".join(str(tuple(each.shape)) for each in inputs)
        raise ValueError(
            f"the model {model.name!r} takes {shapes or 'no tensor'} in place of one image, (batch, height, width, "
            "channels)"
        )
    _check_input(model.name, inputs[0], preprocess)


def _check_input(name: str, image: Any, preprocess: Any) -> None:
    channels = image.shape[-1]
    if channels is None or (image.shape[1] in (1, 3) and channels not in (1, 3)):
        raise ValueError(f"the model {name!r} takes channels first, {tuple(image.shape)}; build it with channels last")
    if channels != 3 and preprocess is None:
        raise ValueError(
            f"the model {name!r} takes images of {channels} channels; give a preprocess that makes these from RGB"
        )
    if not tf.as_dtype(image.dtype).is_floating:
        raise ValueError(
            f"the model {name!r} takes {image.dtype}, which has no gradient; give its input a floating-point dtype"
        )


def _described(value: Any) -> str:
    if isinstance(value, type) or inspect.isroutine(value):
        return f"{value.__name__} itself; call it: {value.__name__}(...)"
    return f"a {type(value).__module__.partition('.')[0]} {type(value).__name__}"
