"""Batches: a failed job stops no other, and an output that is up to date is not painted again, on any executor."""

import io
import json
import os
import signal
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from neural_style import StyleTransfer, recipes
from neural_style._fingerprint import reason_unidentified
from neural_style.batch import jobs as jobs_module
from neural_style.batch.jobs import Job, Outcome, _in_order, jobs_in, stylize_many
from neural_style.losses import Content, custom
from neural_style.optimizers import Adam
from neural_style.scales import SingleScale

SMALL = {"size": 32, "steps": 2, "extractor": "vgg16"}


@pytest.fixture
def folder(tmp_path):
    """Four photographs, of which the third is broken; a painting; and files that are not images."""
    rng = np.random.default_rng(0)
    place = tmp_path / "photos"
    place.mkdir()
    for name in ("a.png", "b.png", "c.png", "d.jpg"):
        Image.fromarray(rng.integers(0, 256, (40, 48, 3), np.uint8)).save(place / name)
    (place / "c.png").write_bytes((place / "c.png").read_bytes()[:200])
    (place / "notes.txt").write_text("not an image")
    (place / ".hidden.png").write_bytes(b"nor this")
    Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / "style.png")
    return tmp_path


def jobs_of(folder, **options):
    return jobs_in(folder / "photos", folder / "style.png", folder / "out", **options)


def statuses(outcomes):
    return {outcome.output.rsplit("/", 1)[-1]: outcome.status for outcome in outcomes}


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image)


ONE_BROKEN = {"a.png": "done", "b.png": "done", "c.png": "failed", "d.png": "done"}


def test_a_broken_image_is_reported_and_stops_no_other(folder):
    outcomes = list(stylize_many(jobs_of(folder), **SMALL))
    assert statuses(outcomes) == ONE_BROKEN
    assert [outcome.number for outcome in outcomes] == [0, 1, 2, 3]
    (failed,) = (outcome for outcome in outcomes if outcome.status == "failed")
    assert failed.error.startswith("ImageError: ")
    assert "c.png" in failed.error
    assert "\n" not in failed.error
    assert {path.name for path in (folder / "out").iterdir()} == {"a.png", "b.png", "d.png"}
    assert pixels_of(folder / "out" / "a.png").shape == (27, 32, 3)


def test_no_bar_is_shown_for_an_image_among_many(folder, monkeypatch):
    """Bars of several workers would overwrite each other; `batch` has one for all."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", terminal)
    assert statuses(stylize_many(jobs_of(folder)[:1], **SMALL)) == {"a.png": "done"}
    assert terminal.getvalue() == ""


def test_a_second_call_does_only_what_is_missing(folder):
    record = folder / "out" / "record.jsonl"
    first = list(stylize_many(jobs_of(folder), record=record, **SMALL))
    written = {path: path.stat().st_mtime_ns for path in (folder / "out").glob("*.png")}
    Image.new("RGB", (40, 48), "red").save(folder / "photos" / "c.png")
    (folder / "out" / "b.png").unlink()
    again = statuses(stylize_many(jobs_of(folder), record=record, **SMALL))
    assert again == {"a.png": "skipped", "b.png": "done", "c.png": "done", "d.png": "skipped"}
    for name in ("a.png", "d.png"):
        assert (folder / "out" / name).stat().st_mtime_ns == written[folder / "out" / name]
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [line["status"] for line in lines] == [outcome.status for outcome in first] + ["done", "done"]


@pytest.mark.parametrize("change", ["content", "style", "settings", "no record"])
def test_an_output_made_from_something_else_is_painted_again(folder, change):
    jobs, record = jobs_of(folder, pattern="a.*"), folder / "record.jsonl"
    list(stylize_many(jobs, record=record, **SMALL))
    settings = dict(SMALL)
    if change == "settings":
        settings["strength"] = 0.7
    elif change != "no record":
        path = folder / "photos" / "a.png" if change == "content" else folder / "style.png"
        Image.new("RGB", (40, 40), "green").save(path)
    (outcome,) = stylize_many(jobs, record=None if change == "no record" else record, **settings)
    assert outcome.status == "done"


def test_a_batch_may_be_painted_in_one_pass(folder):
    jobs, record = jobs_of(folder, pattern="[ac].png"), folder / "record.jsonl"
    how = {"record": record, "size": 32, "quality": "instant"}
    outcomes = list(stylize_many(jobs, **how))
    assert statuses(outcomes) == {"a.png": "done", "c.png": "failed"}
    assert statuses(stylize_many(jobs[:1], **how)) == {"a.png": "skipped"}
    (refused,) = stylize_many(jobs[:1], steps=3, **how)
    assert refused.error.startswith("ValueError: quality='instant' paints in one pass, so it accepts no steps; ")


def test_a_record_that_a_kill_cut_short_is_still_read(folder):
    jobs, record = jobs_of(folder, pattern="[ab].png"), folder / "record.jsonl"
    list(stylize_many(jobs, record=record, **SMALL))
    record.write_bytes(record.read_bytes()[:-30])
    assert statuses(stylize_many(jobs, record=record, **SMALL)) == {"a.png": "skipped", "b.png": "done"}
    assert statuses(stylize_many(jobs, record=record, **SMALL)) == {"a.png": "skipped", "b.png": "skipped"}


def test_threads_paint_the_same_pixels(folder):
    jobs = [job for job in jobs_of(folder) if job.content.name != "c.png"]
    list(stylize_many(jobs, **SMALL))
    alone = [pixels_of(job.output) for job in jobs]
    with ThreadPoolExecutor(2) as executor:
        together = list(stylize_many(jobs, executor=executor, ordered=True, **SMALL))
    assert [outcome.number for outcome in together] == [0, 1, 2]
    np.testing.assert_array_equal([pixels_of(job.output) for job in jobs], alone)


def test_a_process_of_its_own_paints_too(folder):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        assert statuses(stylize_many(jobs_of(folder), executor=executor, **SMALL)) == ONE_BROKEN


def test_style_targets_are_distinguished_by_their_arrays(tmp_path, content):
    transfer = StyleTransfer(extractor="vgg16")
    one, other = (transfer.target(np.full((40, 40, 3), level, np.uint8), size=32) for level in (60, 200))
    record = tmp_path / "record.jsonl"

    def paint(target):
        (outcome,) = stylize_many([(content, target, tmp_path / "out.png")], record=record, **SMALL)
        return outcome.status

    assert [paint(one), paint(one), paint(other), paint(other)] == ["done", "skipped", "done", "skipped"]


def statuses_of(record, *jobs, **settings):
    return [outcome.status for outcome in stylize_many(jobs, record=record, **SMALL, **settings)]


def png(level):
    """A stream of a flat image, read to a few bytes before its beginning."""
    stream = io.BytesIO(b"junk")
    stream.seek(4)
    Image.new("RGB", (40, 40), (level, level, level)).save(stream, "PNG")
    stream.seek(4)
    return stream


def test_streams_are_distinguished_by_their_content(tmp_path, content):
    record, output = tmp_path / "record.jsonl", tmp_path / "out.png"
    found = [statuses_of(record, (content, png(level), output)) for level in (60, 60, 200, 200)]
    assert found == [["done"], ["skipped"], ["done"], ["skipped"]]


def test_a_skipped_job_leaves_its_stream_where_it_stood(tmp_path, content):
    record, output, stream = tmp_path / "record.jsonl", tmp_path / "out.png", png(60)
    statuses_of(record, (content, png(60), output))
    assert statuses_of(record, (content, stream, output)) == ["skipped"]
    assert stream.tell() == 4


class Pipe(io.BytesIO):
    """A stream that can be read only once."""

    def tell(self):
        raise OSError("underlying stream is not seekable")


def test_what_cannot_be_identified_is_never_skipped_and_the_record_says_why(tmp_path, content):
    record, output = tmp_path / "record.jsonl", tmp_path / "out.png"
    jobs = [(content, Pipe(png(60).getvalue()[4:]), output) for _ in range(2)]
    assert [statuses_of(record, job) for job in jobs] == [["done"], ["done"]]
    first, second = (json.loads(line)["identity"] for line in record.read_text().splitlines())
    assert reason_unidentified(first) == reason_unidentified(second) == "Pipe can be read only once"
    assert first != second


def scaled(factor):
    def brightness(features, content, style):
        return factor * (tf.reduce_mean(features["image"]) - tf.reduce_mean(style["image"])) ** 2

    return recipes.Recipe("own", "", 0.1 * Content(), custom(brightness, ["image"]), SingleScale(2), Adam())


def test_functions_of_one_name_are_distinguished(tmp_path, content, style):
    record, job = tmp_path / "record.jsonl", (content, style, tmp_path / "out.png")
    found = [statuses_of(record, job, recipe=scaled(factor)) for factor in (1.0, 1.0, 3.0)]
    assert found == [["done"], ["skipped"], ["done"]]


class Lazy(Executor):
    """Runs a job when its turn has come, last in, first out; counts how many wait."""

    def __init__(self):
        self.most = 0
        self.waiting = []

    def submit(self, function, /, *arguments, **keywords):
        future = Future()
        self.waiting.append((future, function, arguments))
        self.most = max(self.most, len(self.waiting))
        threading.Timer(0.05, self.run_one).start()
        return future

    def run_one(self):
        future, function, arguments = self.waiting.pop()
        if future.set_running_or_notify_cancel():
            future.set_result(function(*arguments))


def test_jobs_are_read_as_they_are_needed(tmp_path):
    executor, read = Lazy(), []

    def jobs():
        for number in range(12):
            read.append(number)
            yield tmp_path / "missing.png", tmp_path / "missing.png", tmp_path / f"{number}.png"

    outcomes = stylize_many(jobs(), executor=executor, prefetch=3)
    assert read == []
    first = next(outcomes)
    assert len(read) <= 6
    assert sorted([first.number, *(outcome.number for outcome in outcomes)]) == list(range(12))
    assert executor.most <= 3


class Broken(Executor):
    def submit(self, function, /, *arguments, **keywords):
        raise BrokenProcessPool("a child process terminated abruptly")


class Held(Executor):
    """Starts its jobs and ends them when it is asked to."""

    def __init__(self):
        self.held = []

    def submit(self, function, /, *arguments):
        self.held.append((Future(), function, arguments))
        return self.held[-1][0]

    def start(self):
        """Let all jobs begin: they can no longer be kept from it."""
        for future, *_ in self.held:
            future.set_running_or_notify_cancel()

    def end(self):
        for future, function, arguments in self.held:
            future.set_result(function(*arguments))


@pytest.mark.parametrize("ordered", [False, True])
def test_images_that_end_after_an_interrupt_are_in_the_record(folder, monkeypatch, ordered):
    jobs, record, executor = jobs_of(folder, pattern="[ab].png"), folder / "record.jsonl", Held()

    def interrupt(*_, **__):
        executor.start()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(jobs_module, "wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            next(stylize_many(jobs, executor=executor, record=record, ordered=ordered, **SMALL))
    assert record.read_text() == ""
    executor.end()
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [(line["number"], line["status"]) for line in lines] == [(0, "done"), (1, "done")]
    assert set(statuses(stylize_many(jobs, record=record, **SMALL)).values()) == {"skipped"}


def test_images_that_end_after_the_iterator_was_closed_are_in_the_record(folder):
    jobs, record = jobs_of(folder, pattern="[ab].png"), folder / "record.jsonl"
    with ThreadPoolExecutor(2) as executor:
        outcomes = stylize_many(jobs, executor=executor, record=record, **SMALL)
        next(outcomes)
        outcomes.close()
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [line["status"] for line in lines] == ["done"] * len(list((folder / "out").iterdir()))


def test_a_record_that_cannot_be_written_is_an_error_on_every_executor(folder):
    jobs, record = jobs_of(folder, pattern="[ab].png"), folder / "record.jsonl"
    with ThreadPoolExecutor(1) as executor, pytest.raises(OSError, match="record.jsonl"):
        for _ in stylize_many(jobs, executor=executor, record=record, **SMALL):
            record.unlink()
            record.mkdir()


def test_a_broken_pool_is_reported_for_every_job(folder):
    outcomes = list(stylize_many(jobs_of(folder), executor=Broken(), **SMALL))
    assert [outcome.status for outcome in outcomes] == ["failed"] * 4
    assert "terminated abruptly" in outcomes[0].error


@given(st.permutations(range(8)))
def test_outcomes_are_put_in_order(numbers):
    outcomes = [Outcome(number, "", "done", 0.0) for number in numbers]
    assert [outcome.number for outcome in _in_order(iter(outcomes))] == list(range(8))


def test_files_of_one_stem_get_different_outputs(folder):
    (folder / "photos" / "d.png").write_bytes((folder / "photos" / "a.png").read_bytes())
    names = [job.output.name for job in jobs_of(folder)]
    assert names == ["a.png", "b.png", "c.png", "d.jpg.png", "d.png.png"]
    assert len(jobs_of(folder, pattern="*.jpg")) == 1


def test_wrong_arguments_are_refused_before_anything_is_painted(folder):
    with pytest.raises(TypeError, match="no argument 'sise'"):
        stylize_many(jobs_of(folder), sise=32)
    with pytest.raises(TypeError, match="no argument 'checkpoint'"):
        stylize_many(jobs_of(folder), checkpoint="run.npz")
    with pytest.raises(ValueError, match="prefetch must be at least 1"):
        stylize_many(jobs_of(folder), prefetch=0)
    with pytest.raises(ValueError, match="is not a folder"):
        jobs_in(folder / "style.png", "style.png", "out")


def test_arrays_are_jobs_too(tmp_path):
    content, style = np.full((40, 40, 3), 90, np.uint8), np.full((40, 40, 3), 200, np.uint8)
    job = Job(content, [(style, 1.0)], tmp_path / "deep" / "out.png")
    record = tmp_path / "record.jsonl"
    assert [o.status for o in stylize_many([job], record=record, **SMALL)] == ["done"]
    assert [o.status for o in stylize_many([job], record=record, **SMALL)] == ["skipped"]
    content[0, 0] = 0
    assert [o.status for o in stylize_many([job], record=record, **SMALL)] == ["done"]


def grains(folder, count):
    """Small images and a painting, all of noise."""
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / "photos" / f"{number:03}.png")
    Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(folder / "style.png")


@pytest.mark.slow
def test_jobs_of_a_killed_dask_worker_are_done_by_another(tmp_path):
    """Two hundred images on two workers, one killed at some moment: each is there, right, and reported once."""
    distributed = pytest.importorskip("distributed", reason="needs the extra [dask]")
    grains(tmp_path, 200)
    moment = int(np.random.default_rng().integers(1, 180))
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        outcomes = []
        for outcome in stylize_many(jobs_of(tmp_path), executor=client.get_executor(), **SMALL):
            outcomes.append(outcome)
            if len(outcomes) == moment:
                victim = next(iter(client.run(os.getpid).values()))
                os.kill(victim, signal.SIGKILL)
    assert sorted(outcome.number for outcome in outcomes) == list(range(200)), f"killed after {moment}"
    assert {outcome.status for outcome in outcomes} == {"done"}, f"killed after {moment}"
    assert len(list((tmp_path / "out").iterdir())) == 200  # nothing half written beside them either
    there = [pixels_of(job.output) for job in jobs_of(tmp_path)]
    list(stylize_many(jobs_of(tmp_path), **SMALL))
    for job, theirs in zip(jobs_of(tmp_path), there, strict=True):
        assert np.abs(pixels_of(job.output).astype(int) - theirs).max() <= 2, f"{job.output} differs"


@pytest.mark.slow
def test_memory_is_flat_over_five_hundred_jobs(tmp_path):
    psutil = pytest.importorskip("psutil")
    grains(tmp_path, 100)
    process, used = psutil.Process(), []
    jobs = [job._replace(output=job.output.with_suffix(f".{i}.png")) for i in range(5) for job in jobs_of(tmp_path)]
    for outcome in stylize_many(jobs, **SMALL):
        assert outcome.status == "done"
        used.append(process.memory_info().rss / 2**20)
    assert used[499] - used[49] < 20, [round(value) for value in used[49::50]]
