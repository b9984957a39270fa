"""Identity: when two images, losses, networks or settings are the same.

A fingerprint is a SHA-256 over what a value consists of: arrays and weights by their bytes, dataclasses and other
objects by their class and fields, functions by their code, defaults, closure and the globals they name, files and
streams by their content. An object may offer `fingerprint() -> str` itself. What cannot be identified, such as a
stream that can be read only once, gets a fingerprint of its own each time: it never equals another, and its text says
why.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import json
import logging
import math
import os
import re
import secrets
import struct
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

import numpy as np

__all__ = ["fingerprint", "reason_unidentified"]

UNIDENTIFIED = "unidentified: "
BLOCK = 2**20
_NUMBER = re.compile(r"_\d+$")


def fingerprint(*values: object, files: bool = False) -> str:
    """SHA-256 of values, 64 hexadecimal digits; equal only for values that compute the same.

    Args:
        values: anything; numbers that are equal count as equal, whatever their types.
        files: whether a string that names a file stands for the file's content. A `pathlib.Path` always does.

    Returns:
        The digits, or, for what cannot be identified, a text that says why and that no other call returns.

    Example:
        >>> fingerprint({"size": 512}) == fingerprint({"size": np.int64(512)}) != fingerprint({"size": 511})
        True
        >>> fingerprint(lambda x: x + 1) == fingerprint(lambda x: x + 2)
        False
    """
    writer = _Writer(files)
    try:
        writer.write(values)
    except _UnidentifiedError as error:
        return f"{UNIDENTIFIED}{error} ({secrets.token_hex(8)})"
    return writer.digest.hexdigest()


def reason_unidentified(fingerprint: object) -> str | None:
    """Why a value could not be identified; None where it was.

    Example:
        >>> reason_unidentified(fingerprint(iter([1])))
        'list_iterator has no fields to compare'
    """
    if not isinstance(fingerprint, str) or not fingerprint.startswith(UNIDENTIFIED):
        return None
    return fingerprint.removeprefix(UNIDENTIFIED).rpartition(" (")[0]


class _UnidentifiedError(Exception):
    """A value that cannot be distinguished from others of its type."""


class _Writer:
    """Feeds values to one hash, each behind a tag of its kind and length, so that no two nests read alike."""

    def __init__(self, files: bool) -> None:
        self.digest = hashlib.sha256()
        self._files = files
        self._open: dict[int, int] = {}  # objects being written, by id: a circle is named by its depth

    def write(self, value: object) -> None:
        if id(value) in self._open:
            return self._tag("circle", self._open[id(value)])
        self._open[id(value)] = len(self._open)
        try:
            next(write for accepts, write in _KINDS if accepts(value))(self, value)
        finally:
            del self._open[id(value)]

    def _tag(self, *parts: object) -> None:
        for part in parts:
            data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
            self.digest.update(struct.pack("<Q", len(data)))
            self.digest.update(data)

    def number(self, value: Any) -> None:
        if isinstance(value, complex):
            return self._tag("number", repr(complex(value)))
        whole = math.isfinite(value) and value == int(value)
        self._tag("number", int(value) if whole else float(value).hex())

    def constant(self, value: object) -> None:
        self._tag("constant", repr(value))

    def text(self, value: str) -> None:
        if self._files and os.path.isfile(value):
            return self.file(value)
        self._tag("text", value)

    def path(self, value: os.PathLike[str]) -> None:
        self.file(value) if os.path.isfile(value) else self._tag("text", os.fspath(value))

    def file(self, path: str | os.PathLike[str]) -> None:
        try:
            with open(path, "rb") as handle:
                self._tag("content", hashlib.file_digest(handle, "sha256").digest())
        except OSError as error:
            raise _UnidentifiedError(f"{os.fspath(path)!r} cannot be read: {error.strerror or error}") from error

    def binary(self, value: Any) -> None:
        self._tag("content", hashlib.sha256(value).digest())

    def stream(self, value: Any) -> None:
        """What is left to read; the stream then stands where it stood."""
        try:
            place = value.tell()
            digest = hashlib.sha256()
            while block := value.read(BLOCK):
                digest.update(block if isinstance(block, bytes) else block.encode())
            value.seek(place)
        except (AttributeError, OSError, ValueError) as error:
            raise _UnidentifiedError(f"{type(value).__name__} can be read only once") from error
        self._tag("content", digest.digest())

    def array(self, value: Any) -> None:
        array = np.asarray(value)
        if array.dtype.hasobject:
            return self.sequence(array.ravel().tolist(), "array", array.shape)
        if array.ndim == 0 and array.dtype.kind in "biuf" and not hasattr(value, "mode"):
            return self.write(array.item())
        self._tag("array", array.shape, array.dtype.str)
        self.digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

    def pil_image(self, value: Any) -> None:
        """A PIL image, with what else of it decides how it is shown."""
        self._tag("image", value.mode, value.size)
        self.array(value)
        self.write({name: value.info[name] for name in ("exif", "icc_profile", "transparency") if name in value.info})
        self.write(value.getpalette() if value.mode == "P" else None)

    def sequence(self, values: Iterable[object], *tags: object) -> None:
        values = list(values)
        self._tag(*(tags or ("sequence",)), len(values))
        for value in values:
            self.write(value)

    def mapping(self, value: Mapping[Any, Any]) -> None:
        self._tag("mapping", len(value))
        for key in sorted(value, key=str):
            self.write(key)
            self.write(value[key])

    def collection(self, value: Set[Any]) -> None:
        self.sequence(sorted(fingerprint(each) for each in value), "set")

    def offered(self, value: Any) -> None:
        digest = value.fingerprint()
        reason = reason_unidentified(digest)
        if reason is not None:
            raise _UnidentifiedError(reason)
        self._tag("offered", type(value).__qualname__, digest)

    def fields(self, value: Any) -> None:
        self.write(type(value))
        self.mapping({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})

    def model(self, value: Any) -> None:
        """A Keras model or layer: what it is made of, and its weights.

        Keras numbers unnamed layers over a whole process, so numbers at the end of names are left out, and the layers'
        order takes their place.
        """
        layers = [layer.name for layer in getattr(value, "layers", ())]
        names = {name: f"{place} {_NUMBER.sub('', name)}" for place, name in enumerate(layers)}
        config = _renamed(value.get_config(), names | {value.name: _NUMBER.sub("", value.name)})
        self._tag("model", type(value).__qualname__, json.dumps(config, sort_keys=True, default=fingerprint))
        self.sequence(value.get_weights())

    def kind(self, value: type) -> None:
        """A class: its name and its methods' code, inherited or its own, except those of known packages."""
        self._tag("class", value.__module__, value.__qualname__)
        for each in value.__mro__:
            if each.__module__.partition(".")[0] not in _BY_NAME:
                functions = {name: item for name, item in vars(each).items() if _is_code(item)}
                self.mapping(functions)

    def function(self, value: types.FunctionType) -> None:
        self._tag("function", value.__qualname__.rpartition(".")[2])
        if (value.__module__ or "").partition(".")[0] in _BY_NAME and "<" not in value.__qualname__:
            return self._tag(value.__module__, value.__qualname__)
        self.code(value.__code__)
        self.write((value.__defaults__, value.__kwdefaults__))
        self.sequence([_content(cell) for cell in value.__closure__ or ()])
        self.mapping({name: value.__globals__[name] for name in _names(value.__code__) if name in value.__globals__})

    def code(self, value: types.CodeType) -> None:
        self._tag("code", value.co_code, value.co_names, value.co_varnames, value.co_freevars)
        self.sequence(value.co_consts)

    def method(self, value: types.MethodType) -> None:
        self.sequence((value.__self__, value.__func__), "method")

    def wrapped(self, value: Any) -> None:
        self.sequence((type(value).__qualname__, value.__wrapped__), "wrapped")

    def descriptor(self, value: Any) -> None:
        parts = [getattr(value, name, None) for name in ("fget", "fset", "func", "__func__")]
        self.sequence([type(value).__name__, *parts], "descriptor")

    def partial(self, value: functools.partial[Any]) -> None:
        self.sequence((value.func, value.args, value.keywords), "partial")

    def named(self, value: Any) -> None:
        """What a name says all about: modules, functions not written in Python, loggers."""
        self._tag("named", getattr(value, "__module__", ""), getattr(value, "__qualname__", value.__name__))

    def logger(self, value: logging.Logger) -> None:
        self._tag("logger", value.name)

    def member(self, value: enum.Enum) -> None:
        self.sequence((type(value).__qualname__, value.name), "member")

    def data_type(self, value: Any) -> None:
        self._tag("dtype", getattr(value, "name", value))

    def other(self, value: object) -> None:
        """Any other object, by its class and attributes."""
        slots = [name for each in type(value).__mro__ for name in _as_tuple(vars(each).get("__slots__", ()))]
        state = {name: getattr(value, name) for name in slots if hasattr(value, name) and name != "__dict__"}
        state |= getattr(value, "__dict__", {})
        if not hasattr(value, "__dict__") and not slots:
            raise _UnidentifiedError(f"{type(value).__name__} has no fields to compare")
        self.write(type(value))
        self.mapping(state)


_BY_NAME = {"builtins", "neural_style", "tensorflow", "keras", "numpy", "PIL", *sys.stdlib_module_names} - {"__main__"}
"""Packages whose classes and functions are known by their names; their versions are recorded separately."""


def _is_code(item: object) -> bool:
    return isinstance(item, types.FunctionType | property | functools.cached_property | classmethod | staticmethod)


def _as_tuple(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _names(code: types.CodeType) -> set[str]:
    """The global names a function and those defined inside it use."""
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _renamed(config: Any, names: Mapping[str, str]) -> Any:
    """A nest of plain values in which some texts are replaced."""
    if isinstance(config, Mapping):
        return {key: _renamed(each, names) for key, each in config.items()}
    if isinstance(config, list | tuple):
        return [_renamed(each, names) for each in config]
    return names.get(config, config) if isinstance(config, str) else config


def _is_model(value: Any) -> bool:
    return not isinstance(value, type) and hasattr(value, "get_config") and hasattr(value, "get_weights")


def _offers(value: Any) -> bool:
    return not isinstance(value, type) and callable(getattr(type(value), "fingerprint", None))


def _is(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds)


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[_Writer, Any], None]], ...] = (
    (lambda value: value is None or value is Ellipsis or isinstance(value, bool), _Writer.constant),
    (_offers, _Writer.offered),
    (_is(enum.Enum), _Writer.member),
    (_is(int, float, complex), _Writer.number),
    (_is(str), _Writer.text),
    (_is(bytes, bytearray, memoryview), _Writer.binary),
    (_is(os.PathLike), _Writer.path),
    (_is(type), _Writer.kind),
    (lambda value: hasattr(value, "getpalette") and hasattr(value, "__array_interface__"), _Writer.pil_image),
    (lambda value: isinstance(value, np.dtype) or type(value).__name__ == "DType", _Writer.data_type),
    (lambda value: hasattr(value, "__array__"), _Writer.array),
    (_is(Mapping), _Writer.mapping),
    (_is(list, tuple), _Writer.sequence),
    (_is(Set), _Writer.collection),
    (dataclasses.is_dataclass, _Writer.fields),
    (_is_model, _Writer.model),
    (_is(types.FunctionType), _Writer.function),
    (_is(types.CodeType), _Writer.code),
    (_is(types.MethodType), _Writer.method),
    (_is(functools.partial), _Writer.partial),
    (_is(property, functools.cached_property, classmethod, staticmethod), _Writer.descriptor),
    (_is(types.ModuleType, types.BuiltinFunctionType, np.ufunc), _Writer.named),
    (_is(logging.Logger), _Writer.logger),
    (lambda value: hasattr(value, "__wrapped__"), _Writer.wrapped),
    (lambda value: hasattr(value, "read"), _Writer.stream),
    (lambda value: True, _Writer.other),
)
"""What a value is, and how it is written; the first that accepts it."""
