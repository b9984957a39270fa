"""A run on disk: resumed bit for bit, refused when it is another's, never lost to a fault."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from neural_style import KerasExtractor, StyleTransfer, _archive, _atomic
from neural_style.callbacks import EarlyStopping
from neural_style.errors import CheckpointError
from neural_style.losses import AssignedNeighbor, Content, Gram, custom
from neural_style.optimizers import LBFGS, Adam
from neural_style.transfer import checkpoint as module
from neural_style.transfer.checkpoint import Checkpoint, Position, Saver
from tests.tiny import CONTENT, LOSS, STYLE, TINY, TWO_SCALES, picture, transfer

STEPS = 14


MATCHED = LOSS + AssignedNeighbor(("shallow", "deep"), layer_weights=None, grid="deep", refresh=7)


def run(checkpoint=None, content=CONTENT, style=STYLE, seed=0, steps=STEPS, init="content", loss=LOSS, **options):
    """L-BFGS on the small canvas, then Adam."""
    how = {"size": 32, "steps": steps, "seed": seed, "init": init, "checkpoint": checkpoint}
    return transfer(loss, final_optimizer="adam").run(content, style, **how, **options)


def stop_at(number):
    def stop(step):
        if step.step == number:
            raise StopIteration

    return stop


@pytest.fixture(scope="module")
def whole():
    """The run nobody interrupts."""
    return run()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


def assert_same(result, expected):
    np.testing.assert_array_equal(result.pixels, expected.pixels)
    assert [(s.step, s.scale, s.loss, s.terms) for s in result.history] == [
        (s.step, s.scale, s.loss, s.terms) for s in expected.history
    ]


# --- going on ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, STEPS + 1))
def test_a_run_stopped_at_any_step_ends_with_the_bits_of_the_whole_run(path, whole, number):
    first = run(path, callbacks=[stop_at(number)])
    assert (first.stopped_by, len(first.history)) == ("callback", number)
    steps = []
    second = run(path, callbacks=[steps.append])
    assert_same(second, whole)
    assert [step.step for step in steps] == list(range(number + 1, STEPS + 1))
    assert [step.seconds for step in second.history] == sorted(step.seconds for step in second.history)


def test_a_run_broken_off_again_and_again_arrives(path, whole):
    for number in range(1, STEPS + 1, 2):
        run(path, callbacks=[stop_at(number)], init="noise", seed=5)
    assert_same(run(path, init="noise", seed=5), run(init="noise", seed=5))


def test_l_bfgs_goes_on_with_its_memory(path):
    def paint(checkpoint=None, callbacks=()):
        return transfer(optimizer=LBFGS(memory=3)).run(
            CONTENT, STYLE, size=32, steps=STEPS, checkpoint=checkpoint, callbacks=callbacks
        )

    for number in (2, 7, 8, 12):
        paint(path, [stop_at(number)])
    assert_same(paint(path), paint())


def test_a_finished_run_is_handed_back_at_once(path, whole):
    assert_same(run(path), whole)
    steps = []
    again = run(path, callbacks=[steps.append])
    assert_same(again, whole)
    assert steps == []
    assert again.stopped_by == "steps"


def test_a_checkpoint_changes_no_bit(path, whole):
    assert_same(run(Checkpoint(path, every_steps=1)), whole)


def test_time_and_ctrl_c_leave_a_run_to_go_on_from(path, whole):
    assert run(path, max_seconds=0.0).stopped_by == "time"

    def interrupt(step):
        raise KeyboardInterrupt

    assert run(path, callbacks=[interrupt]).stopped_by == "interrupt"
    result = run(path)
    assert_same(result, whole)


def test_an_exception_of_a_callback_passes_through_after_a_save(path, whole):
    def fail(step):
        if step.step == 5:
            raise MemoryError("the callback's own")

    with pytest.raises(MemoryError, match="the callback's own"):
        run(path, callbacks=[fail])
    steps = []
    assert_same(run(path, callbacks=[steps.append]), whole)
    assert steps[0].step == 6


def test_early_stopping_remembers_what_it_saw_before(path):
    def early():
        return EarlyStopping(patience=2, min_improvement=0.2)

    expected = run(callbacks=[early()])
    assert expected.stopped_by == "callback"
    last = len(expected.history)
    run(path, callbacks=[early(), stop_at(last - 1)])
    for _ in range(2):  # goes on to the same end, and stays there
        result = run(path, callbacks=[early()])
        assert_same(result, expected)
        assert result.stopped_by == "callback"


def test_a_picture_so_far_is_the_best_of_its_scale(path):
    class Growing(Adam):
        """Steps that overshoot at last."""

        def rate(self, progress):
            return 0.01 if progress < 0.7 else 0.5

    def paint(checkpoint, stop):
        return transfer(optimizer=Growing()).run(
            CONTENT, STYLE, size=32, steps=STEPS, checkpoint=checkpoint, callbacks=[stop]
        )

    result = paint(None, stop_at(STEPS))
    losses = [step.loss for step in result.history if step.scale == (32, 24)]
    assert losses[-1] > min(losses)
    best = losses.index(min(losses)) + STEPS - len(losses)  # the canvas after this many steps has that loss
    np.testing.assert_array_equal(result.pixels, paint(None, stop_at(best)).pixels)
    paint(path, stop_at(STEPS - 1))
    assert_same(paint(path, stop_at(STEPS)), result)


# --- when it is written ------------------------------------------------------------------------------


def test_it_is_written_as_often_as_asked_for_and_at_the_end_of_a_scale(path, monkeypatch):
    counts = []
    write = _atomic.write_whole
    monkeypatch.setattr(
        _atomic, "write_whole", lambda *args, **named: (counts.append(len(steps)), write(*args, **named))
    )
    steps = []
    run(Checkpoint(path, every_steps=4, every_seconds=None), callbacks=[steps.append])
    coarse = sum(step.scale != (32, 24) for step in steps)
    assert counts == sorted({*range(4, STEPS + 1, 4)} | {coarse, STEPS})


def test_no_more_than_a_share_of_the_time_goes_into_writing(path, monkeypatch):
    saver = Saver(Checkpoint(path, every_seconds=0.0), {})
    saver._took = 1000.0
    saver.save_if_due(Position(tf.zeros([1, 4, 4, 3])))
    assert not path.exists()
    saver._took = 0.0
    saver.save_if_due(Position(tf.zeros([1, 4, 4, 3])))
    assert path.exists()


@pytest.mark.parametrize("options", [{"every_steps": 0}, {"every_seconds": -1.0}, {"every_seconds": float("nan")}])
def test_impossible_intervals_are_refused(options):
    with pytest.raises(ValueError, match="every_"):
        Checkpoint("run.npz", **options)


def test_a_checkpoint_is_a_path():
    with pytest.raises(TypeError, match="not int"):
        run(3)


def test_any_state_of_an_optimiser_is_kept_to_the_bit(path):
    state = {
        "half": tf.constant([1.5, -2.25], tf.bfloat16),
        "count": tf.constant(3, tf.int64),
        "pairs": tf.random.stateless_normal([4, 1, 5, 5, 3], (1, 2), dtype=tf.float64),
        "on": tf.constant(True),
        "none": tf.zeros([0, 3]),
    }
    position = Position(tf.zeros([1, 4, 4, 3]), 1, 2, state, tf.ones([1, 4, 4, 3]), 0.1, 3)
    Saver(Checkpoint(path), {}).save(position)
    found = Saver(Checkpoint(path), {}).load()
    assert list(found.optimizer) == list(state)
    for key, value in state.items():
        assert found.optimizer[key].dtype == value.dtype
        assert found.optimizer[key].shape == value.shape
        assert found.optimizer[key].numpy().tobytes() == value.numpy().tobytes()
    assert (found.scale, found.done, found.best_loss, found.setbacks) == (1, 2, 0.1, 3)


# --- whose it is -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"content": picture(3)}, "content differs"),
        ({"style": picture(4)}, "style differs"),
        ({"style": [STYLE, picture(4)]}, "style 1 differs; style 2 differs; style differs"),
        ({"seed": 1}, "seed was 0 and is 1 now"),
        ({"steps": 20}, "scales was .* now"),
        ({"init": "noise"}, "init was 'content' and is 'noise' now"),
        ({"init": picture(5)}, "init image differs; init was 'content' and is 'image' now"),
    ],
)
def test_another_run_is_refused_and_told_what_differs(path, change, told):
    run(path, callbacks=[stop_at(4)])
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=told) as caught:
        run(path, **change)
    assert isinstance(caught.value, ValueError)
    assert str(path) in str(caught.value)
    assert "delete" in str(caught.value)
    assert path.read_bytes() == before


def test_other_losses_are_refused(path):
    run(path, callbacks=[stop_at(4)])
    with pytest.raises(CheckpointError, match=r"another run: loss was .* and is .* now"):
        transfer(2.0 * LOSS, final_optimizer="adam").run(CONTENT, STYLE, size=32, steps=STEPS, checkpoint=path)


def test_another_version_is_refused(path, monkeypatch):
    monkeypatch.setattr("neural_style.__version__", "0.0.9")
    run(path, callbacks=[stop_at(4)])
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"neural_style was '0\.0\.9' and is '.*' now"):
        run(path)


def test_another_format_is_refused(path, monkeypatch):
    monkeypatch.setattr(module, "FORMAT", 99)
    run(path, callbacks=[stop_at(4)])
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="has format 99"):
        run(path)


class Scaled:
    """The tiny network with a gain, and a text that says nothing of it."""

    layers = TINY.layers

    def __init__(self, gain):
        self.gain = gain

    def __repr__(self):
        return "Scaled()"

    def __call__(self, image, layers):
        return {name: self.gain * value for name, value in TINY(image, layers).items()}


def keras_network(seed):
    kernel = keras.initializers.HeNormal(seed)
    image = keras.Input((None, None, 3))
    deep = keras.layers.Conv2D(4, 3, padding="same", name="deep", kernel_initializer=kernel)(image)
    return KerasExtractor(keras.Model(image, deep, name="mine"))


def colored(gain):
    """Two functions of one name; what they compute differs by what they close over."""

    def color(features, content, style):
        return gain * tf.reduce_mean((features["image"] - content["image"]) ** 2)

    return custom(color, ["image"])


DEEP = Content(("deep",)) + Gram(("deep",))
IDENTITIES = {
    "a gain": ((LOSS, Scaled(1.0)), (LOSS, Scaled(3.0)), "extractor differs, though both read"),
    "weights": ((DEEP, keras_network(1)), (DEEP, keras_network(2)), "extractor differs, though both read"),
    "a function": ((DEEP + colored(1.0), TINY), (DEEP + colored(2.0), TINY), "loss differs, though both read"),
}


@pytest.mark.parametrize("kind", IDENTITIES)
def test_what_reads_alike_and_computes_something_else_is_another_run(path, kind):
    (loss, network), (other_loss, other_network), message = IDENTITIES[kind]
    run = {"size": 32, "steps": 6, "checkpoint": path}
    StyleTransfer(loss, network, scales=TWO_SCALES).run(CONTENT, STYLE, callbacks=[stop_at(2)], **run)
    with pytest.raises(CheckpointError, match=message):
        StyleTransfer(other_loss, other_network, scales=TWO_SCALES).run(CONTENT, STYLE, **run)
    resumed = StyleTransfer(loss, network, scales=TWO_SCALES).run(CONTENT, STYLE, **run)
    assert (resumed.stopped_by, len(resumed.history)) == ("steps", 6)


def test_a_run_that_cannot_be_identified_says_so_and_is_never_resumed(path):
    network = Scaled(1.0)
    network.lock = threading.Lock()
    transfer = StyleTransfer(LOSS, network, scales=TWO_SCALES)
    run = {"size": 32, "steps": 6, "checkpoint": path}
    with pytest.warns(UserWarning, match=r"not resumed: its extractor cannot be identified \(lock has no fields"):
        result = transfer.run(CONTENT, STYLE, callbacks=[stop_at(2)], **run)
    assert result.settings["unidentified"] == {"extractor": "lock has no fields to compare"}
    with (
        pytest.warns(UserWarning, match="cannot be identified"),
        pytest.raises(CheckpointError, match=r"extractor cannot be identified \(lock .*fingerprint\(\)"),
    ):
        transfer.run(CONTENT, STYLE, **run)


# --- damage ------------------------------------------------------------------------------------------


def damage_cut(data):
    return data[: len(data) // 2]


def damage_flip(data):
    middle = data.index(b"canvas.npy") + 400
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


DAMAGES = {
    "cut": damage_cut,
    "flipped": damage_flip,
    "empty": lambda data: b"",
    "foreign": lambda data: b"\x89PNG\r\n" * 40,
    "pickle": lambda data: b"\x80\x04\x95.",
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_file_gives_way_to_the_one_before(path, whole, kind, caplog):
    run(Checkpoint(path, every_steps=1), callbacks=[stop_at(6)])
    harmed = DAMAGES[kind](path.read_bytes())
    path.write_bytes(harmed)
    steps = []
    assert_same(run(path, callbacks=[steps.append]), whole)
    assert steps[0].step == 6
    assert path.with_name("run.npz.aside").read_bytes() == harmed
    told = r"run\.npz cannot be read.*kept as run\.npz\.aside, resuming from run\.npz\.bak"
    assert re.search(told, caplog.text, re.DOTALL)


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_file_with_none_before_is_refused_and_kept(path, kind):
    run(Checkpoint(path, every_seconds=None), callbacks=[stop_at(2)])
    harmed = DAMAGES[kind](path.read_bytes())
    path.write_bytes(harmed)
    with pytest.raises(CheckpointError, match="damaged or not a checkpoint") as caught:
        run(path)
    assert "delete" in str(caught.value)
    assert path.read_bytes() == harmed


def test_a_death_between_the_two_renames_loses_nothing(path, whole):
    run(Checkpoint(path, every_steps=1), callbacks=[stop_at(6)])
    os.replace(path, path.with_name("run.npz.bak"))
    steps = []
    assert_same(run(path, callbacks=[steps.append]), whole)
    assert steps[0].step == 7


def test_deleting_the_file_is_enough_to_begin_another_run(path, caplog):
    run(Checkpoint(path, every_steps=1), callbacks=[stop_at(6)])
    path.unlink()
    steps = []
    run(path, seed=1, callbacks=[steps.append])
    assert steps[0].step == 1
    assert re.search(r"run\.npz\.bak is left over and not used: .* seed was 0 and is 1", caplog.text)


def snapshot(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


CAUSES = {
    "memory": MemoryError("no memory"),
    "permission": PermissionError(errno.EACCES, "Permission denied"),
    "device": OSError(errno.EIO, "Input/output error"),
    "descriptors": OSError(errno.EMFILE, "Too many open files"),
    "network": OSError(errno.ESTALE, "Stale file handle"),
}


@pytest.mark.parametrize("where", ["open", "load"])
@pytest.mark.parametrize("which", ["run.npz", "run.npz.bak"])
@pytest.mark.parametrize("cause", CAUSES)
def test_a_file_that_cannot_be_read_now_is_not_damaged_and_nothing_is_touched(path, monkeypatch, cause, which, where):
    for value in (0.2, 0.4):
        Saver(Checkpoint(path), {}).save(Position(tf.fill([1, 4, 4, 3], value)))
    if which == "run.npz.bak":
        path.unlink()
    before = snapshot(path.parent)
    target, name = (_archive, "open_regular") if where == "open" else (_archive, "Archive")
    function = getattr(target, name)

    def fail(file, **options):
        if where == "open" and Path(file).name != which:
            return function(file, **options)
        raise CAUSES[cause]

    with monkeypatch.context() as patch:
        patch.setattr(target, name, fail)
        with pytest.raises(CheckpointError, match=f"{which} cannot be read at the moment") as caught:
            Saver(Checkpoint(path), {}).load()
    assert caught.value.__cause__ is CAUSES[cause]
    assert snapshot(path.parent) == before
    assert Saver(Checkpoint(path), {}).load() is not None


def test_tensorflows_want_of_memory_is_no_damage(path, monkeypatch):
    Saver(Checkpoint(path), {}).save(Position(tf.zeros([1, 4, 4, 3])))
    before, full = snapshot(path.parent), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    monkeypatch.setattr(tf, "constant", lambda *_, **__: (_ for _ in ()).throw(full))
    with pytest.raises(CheckpointError, match=r"cannot be read at the moment.*OOM when"):
        Saver(Checkpoint(path), {}).load()
    assert snapshot(path.parent) == before


def test_a_damaged_file_is_kept_where_the_one_before_cannot_be_read(path, monkeypatch):
    for value in (0.2, 0.4):
        Saver(Checkpoint(path), {}).save(Position(tf.fill([1, 4, 4, 3], value)))
    path.write_bytes(b"damage")
    path.with_name("run.npz.bak").unlink()
    path.with_name("run.npz.bak").symlink_to("run.npz.bak")  # a circle: it can be neither read nor missing
    with pytest.raises(CheckpointError):
        Saver(Checkpoint(path), {}).load()
    assert path.read_bytes() == b"damage"


@pytest.mark.parametrize("data", [b"not a checkpoint", "another run"])
def test_a_left_over_backup_is_kept_under_another_name(path, data):
    backup = path.with_name("run.npz.bak")
    if data == "another run":
        Saver(Checkpoint(path), {"settings": {"seed": 1}}).save(Position(tf.zeros([1, 4, 4, 3])))
        path.rename(backup)
        data = backup.read_bytes()
    backup.write_bytes(data)
    saver = Saver(Checkpoint(path), {"settings": {"seed": 2}})
    assert saver.load() is None
    for value in (0.2, 0.4):
        saver.save(Position(tf.fill([1, 4, 4, 3], value)))
    assert path.with_name("run.npz.bak.aside").read_bytes() == data


def test_the_former_format_without_a_checksum_is_read(path, monkeypatch):
    def write_former(handle, about, arrays):
        np.savez(handle, about=np.frombuffer(json.dumps({**about, "format": 2}).encode(), np.uint8), **arrays)

    with monkeypatch.context() as patch:
        patch.setattr(_archive, "write", write_former)
        Saver(Checkpoint(path), {}).save(Position(tf.fill([1, 4, 4, 3], 0.5), done=7))
    assert Saver(Checkpoint(path), {}).load().done == 7
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        Saver(Checkpoint(path), {}).load()


def test_a_checkpoint_whose_checksum_was_cut_off_is_damaged(path):
    Saver(Checkpoint(path), {}).save(Position(tf.zeros([1, 4, 4, 3])))
    path.write_bytes(path.read_bytes()[:-86] + b"\0\0")
    with np.load(path) as stored:
        assert "canvas" in stored  # NumPy sees nothing of it
    with pytest.raises(CheckpointError, match="checksum is missing"):
        Saver(Checkpoint(path), {}).load()


def test_a_foreign_archive_is_refused(path):
    np.savez(path, canvas=np.zeros((1, 4, 4, 3), np.float32))
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        run(path)


def test_a_canvas_that_is_not_finite_is_damage(path):
    position = Position(tf.constant(np.full((1, 4, 4, 3), np.nan, np.float32)))
    Saver(Checkpoint(path), {}).save(position)
    with pytest.raises(CheckpointError, match="not finite"):
        Saver(Checkpoint(path), {}).load()


def test_nothing_is_unpickled(path):
    np.savez(path, about=np.array([{}], object))
    with pytest.raises(CheckpointError, match="which are never read"):
        run(path)


# --- places ------------------------------------------------------------------------------------------


def test_a_place_that_cannot_be_written_to_is_told_before_the_first_step(tmp_path):
    steps = []
    with pytest.raises(CheckpointError, match="Create its folder"):
        run(tmp_path / "nowhere" / "run.npz", callbacks=[steps.append])
    with pytest.raises(CheckpointError, match="is a folder"):
        run(tmp_path, callbacks=[steps.append])
    assert steps == []


@pytest.mark.skipif(os.name != "posix", reason="pipes are POSIX's")
@pytest.mark.parametrize("name", ["run.npz", "run.npz.bak", "link.npz"])
def test_a_checkpoint_is_a_regular_file(tmp_path, name):
    os.mkfifo(tmp_path / ("pipe.npz" if name == "link.npz" else name))
    if name == "link.npz":
        (tmp_path / name).symlink_to("pipe.npz")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CheckpointError, match="a pipe, not a regular file"):
        Saver(Checkpoint(tmp_path / name.removesuffix(".bak")), {})
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["n" * 300, "n" * 245, "null\0.npz", "link.npz"])
def test_names_that_cannot_be_written_are_refused(tmp_path, name):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "link.npz").symlink_to("notes.txt")
    with pytest.raises(CheckpointError, match="another file"):
        Saver(Checkpoint(tmp_path / name), {})


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_checkpoints_are_for_their_owner_alone(path):
    path.write_bytes(b"")
    path.chmod(0o644)  # as a former version left it
    for value in (0.2, 0.4):
        Saver(Checkpoint(path), {}).save(Position(tf.fill([1, 4, 4, 3], value)))
    assert [file.stat().st_mode & 0o777 for file in path.parent.iterdir()] == [0o600, 0o600]


def test_what_killed_processes_left_is_swept(path):
    old, fresh, foreign = (path.with_name(name) for name in (".run.npz.a.part", ".run.npz.b.part", ".other.a.part"))
    for file in (old, fresh, foreign):
        file.write_bytes(b"half")
        os.utime(file, (time.time() - 3600,) * 2)
    os.utime(fresh)
    run(path, callbacks=[stop_at(1)])
    assert [file.exists() for file in (old, fresh, foreign)] == [False, True, True]


def test_a_link_leads_to_the_file_that_is_replaced(tmp_path, whole):
    (tmp_path / "disk").mkdir()
    link = tmp_path / "run.npz"
    link.symlink_to(tmp_path / "disk" / "real.npz")
    run(link, callbacks=[stop_at(3)])
    assert link.is_symlink()
    assert (tmp_path / "disk" / "real.npz").is_file()
    assert_same(run(link), whole)


# --- faults ------------------------------------------------------------------------------------------


class Faults:
    """Makes the k-th write, fsync or rename fail."""

    def __init__(self, patch, at):
        self.count, self.at = 0, at
        for name in ("fsync", "replace"):
            patch.setattr(module.os, name, self.counted(getattr(os, name)))
        fdopen = os.fdopen
        patch.setattr(module.os, "fdopen", lambda *arguments: self.watch(fdopen(*arguments)))

    def counted(self, function):
        def call(*arguments):
            self.count += 1
            if self.count == self.at:
                raise OSError(errno.ENOSPC, "no space left on device")
            return function(*arguments)

        return call

    def watch(self, handle):
        counted = self.counted(handle.write)

        class Watched:
            """A file whose writes are counted."""

            write = staticmethod(counted)

            def __getattr__(self, name):
                return getattr(handle, name)

            def __enter__(self):
                return self

            def __exit__(self, *_):
                handle.close()

        return Watched()


def test_no_fault_of_the_disk_loses_the_checkpoint_before(path, monkeypatch, caplog):
    canvases = [np.full((1, 4, 4, 3), value, np.float32) for value in (0.2, 0.4, 0.6)]
    for at in range(1, 1000):
        for file in path.parent.iterdir():
            file.unlink()
        saver = Saver(Checkpoint(path), {})
        for canvas in canvases[:2]:
            saver.save(Position(tf.constant(canvas)))
        with monkeypatch.context() as patch:
            faults = Faults(patch, at)
            saver.save(Position(tf.constant(canvases[2])))
        found = Saver(Checkpoint(path), {}).load().canvas.numpy()[0, 0, 0, 0]
        assert found in (np.float32(0.4), np.float32(0.6))
        assert not list(path.parent.glob(".run.npz.*"))
        if faults.count < at:
            break
    assert found == np.float32(0.6)
    assert at > 10
    assert "could not be written: [Errno 28]" in caplog.text


def test_want_of_memory_for_a_checkpoint_does_not_end_the_run(path, whole, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", lambda *_, **__: (_ for _ in ()).throw(MemoryError("no memory")))
        assert_same(run(path), whole)
    assert "could not be written: no memory" in caplog.text


def test_a_run_on_a_failing_disk_still_gives_its_picture(path, whole, monkeypatch):
    with monkeypatch.context() as patch:
        for name in ("fsync",):
            patch.setattr(module.os, name, lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "input/output error")))
        assert_same(run(Checkpoint(path, every_steps=3)), whole)
    assert not path.exists()


# --- killed ------------------------------------------------------------------------------------------

PROGRAM = """
import sys
from tests.transfer.test_checkpoint import MATCHED, Checkpoint, run
report = lambda step: print(step.step, flush=True)
run(Checkpoint(sys.argv[1], every_steps=1), steps=90, loss=MATCHED, callbacks=[report])
"""


def start(path):
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "2"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True, env=environment, cwd=root
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kill -9 is of POSIX")
def test_a_killed_run_goes_on_and_ends_with_the_bits_of_the_whole_run(path):
    """With a loss whose matches are kept for seven steps, so that it is killed between two matchings."""
    last = 0
    for number in (10, 31, 60):  # steps after which it is killed
        with start(path) as process:
            for line in process.stdout:
                assert int(line) > last
                if int(line) >= number:
                    time.sleep(0.002 * (number % 7))
                    process.kill()
                    break
        last = number - 1
    steps = []
    result = run(path, steps=90, loss=MATCHED, callbacks=[steps.append])
    assert 60 <= steps[0].step <= 90
    assert_same(result, run(steps=90, loss=MATCHED))


def test_the_file_is_plain(path):
    run(path, callbacks=[stop_at(10)])
    with np.load(path, allow_pickle=False) as stored:
        assert {"about", "canvas", "best", "optimizer/mean", "optimizer/square", "optimizer/count"} == set(stored)
        about = json.loads(bytes(stored["about"]))
    assert re.fullmatch("[0-9a-f]{64}", about["identity"]["inputs"]["style"])
    assert len(about["history"]) == 10
