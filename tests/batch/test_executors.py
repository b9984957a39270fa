"""Executors: shares of a machine, a device for each thread, Ray."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from neural_style.batch.executors import RayExecutor, devices, processes

# Heavy imports stand inside the tests: workers import this file, and must not load TensorFlow by that.

SMALL = {"size": 32, "steps": 2, "extractor": "vgg16"}


def share(_):
    """What a worker was given, and whether TensorFlow is loaded; slow enough for every worker to be asked."""
    time.sleep(0.5)
    names = ("CUDA_VISIBLE_DEVICES", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return os.getpid(), tuple(os.environ.get(name) for name in names), "tensorflow" in sys.modules


def test_each_process_has_a_graphics_card_and_cores_of_its_own():
    with processes(2, threads=3, gpus=[4, "5"]) as executor:
        found = set(executor.map(share, range(6)))
    assert len({process for process, _, _ in found}) == 2
    assert {given for _, given, _ in found} == {("4", "3", "3"), ("5", "3", "3")}
    assert {loaded for *_, loaded in found} == {False}, "TensorFlow was loaded before the environment was set"


def test_cores_are_shared_out_and_cards_taken_in_turn():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with processes(3, gpus=["7"]) as executor:
        found = set(executor.map(share, range(6)))
    assert {given for _, given, _ in found} == {("7", *[str(max(1, cores // 3))] * 2)}


@pytest.mark.parametrize("module", ["batch", "batch.executors", "batch.jobs"])
def test_importing_batches_does_not_load_tensorflow(module):
    """A spawned worker imports these before `TF_NUM_INTRAOP_THREADS` is set, which TensorFlow reads when loaded."""
    code = f"import sys, neural_style.{module}; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


@pytest.mark.parametrize("options", [{"count": 0}, {"count": 1, "threads": 0}, {"count": 1, "gpus": []}])
def test_shares_of_nothing_are_refused(options):
    with pytest.raises(ValueError, match="at least 1|empty"):
        processes(**options)


# --- interrupts, messages, and the end of a parent ----------------------------------------------------


def work(folder, seconds):
    """A job that says when it began and whether it was interrupted."""
    name = Path(folder, str(os.getpid()))
    name.with_suffix(".began").touch()
    try:
        time.sleep(seconds)
    except KeyboardInterrupt:
        time.sleep(0.3)  # another interrupt now would keep it from cleaning up
        name.with_suffix(".interrupted").touch()
        raise
    return os.getpid()


def wait_for(found, count=1, seconds=60):
    deadline = time.monotonic() + seconds
    while len(list(found())) != count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


needs_signals = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@needs_signals
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_an_interrupt_ends_the_jobs_and_an_error_does_not(tmp_path, error):
    with pytest.raises(error), processes(1) as executor:
        futures = [executor.submit(work, tmp_path, 60 if error is not ValueError else 0.1) for _ in range(3)]
        wait_for(lambda: tmp_path.glob("*.began"))
        if error is KeyboardInterrupt:  # as in a terminal, where Ctrl-C reaches the worker as well
            os.kill(next(iter(executor._processes)), signal.SIGINT)
        raise error
    kinds = {type(future.exception()) for future in futures}
    if error is ValueError:
        assert kinds == {type(None)}
    else:
        assert kinds == {KeyboardInterrupt}
        assert len(list(tmp_path.glob("*.interrupted"))) == 1, "jobs in the queue were begun"


@needs_signals
def test_a_worker_without_a_job_does_not_hear_ctrl_c(tmp_path, capfd):
    with processes(1) as executor:
        pid = executor.submit(work, tmp_path, 0.0).result()
        os.kill(pid, signal.SIGINT)
        time.sleep(0.1)
        assert executor.submit(work, tmp_path, 0.0).result() == pid
    assert capfd.readouterr().err == ""


@needs_signals
def test_a_worker_at_work_does_not_hear_that_the_terminal_was_closed(tmp_path):
    """Its parent does, which may ignore it under `nohup`, or stop its workers."""
    with processes(1) as executor:
        future = executor.submit(work, tmp_path, 0.5)
        wait_for(lambda: tmp_path.glob("*.began"))
        os.kill(next(iter(executor._processes)), signal.SIGHUP)
        future.result()
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & {signal.SIGINT, signal.SIGHUP}


@needs_signals
def test_a_worker_that_just_begins_does_not_hear_ctrl_c(tmp_path, capfd):
    with processes(1) as executor:
        future = executor.submit(work, tmp_path, 0.0)
        os.kill(next(iter(executor._processes)), signal.SIGINT)
        future.result()
    assert capfd.readouterr().err == ""


@needs_signals
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    """One worker is at work, the other has nothing to do; a worker that stays would hold gigabytes."""
    program = (
        "from neural_style.batch.executors import processes; from tests.batch.test_executors import work\n"
        f"if __name__ == '__main__':\n    pool = processes(2)\n    pool.submit(work, {str(tmp_path)!r}, 0.0).result()\n"
        f"    futures = [pool.submit(work, {str(tmp_path)!r}, seconds) for seconds in (600, 0.5)]\n"
        "    futures[1].result(); print('ready', flush=True); futures[0].result()"
    )
    (tmp_path / "main.py").write_text(program)
    command = [sys.executable, str(tmp_path / "main.py")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout.readline() == "ready\n"
            workers = [int(path.stem) for path in tmp_path.glob("*.began")]
            assert len(workers) == 2
        finally:
            parent.kill()
    wait_for(lambda: (pid for pid in workers if psutil.pid_exists(pid)), 0, seconds=20)
    assert len(list(tmp_path.glob("*.interrupted"))) == 1, "the job could not clean up"


def speak(number):
    logging.getLogger("neural_style").warning("the checkpoint of %d could not be written", number)
    warnings.warn("VGG16 is used", UserWarning, stacklevel=1)


def test_workers_messages_reach_this_process(caplog, recwarn, capfd):
    warnings.simplefilter("default")
    with processes(2) as executor:
        list(executor.map(speak, [1, 2]))
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"the checkpoint of {number} could not be written" for number in (1, 2)
    ]
    assert [str(warning.message) for warning in recwarn] == ["VGG16 is used"]
    assert capfd.readouterr().err == ""


def test_a_warning_that_a_filter_makes_an_error_is_still_heard(caplog):
    with processes(1) as executor:
        executor.submit(speak, 1).result()
    assert [record.getMessage() for record in caplog.records][1:] == ["VGG16 is used"]


def test_an_unknown_device_is_named():
    with pytest.raises(ValueError, match=r"no device 'GPU:7'; there are .*CPU:0"):
        devices(["GPU:7"])
    with pytest.raises(ValueError, match="empty"):
        devices([])


def photographs(folder, count):
    from neural_style.batch.jobs import jobs_in
    from tests.batch.test_jobs import grains

    grains(folder, count)
    return jobs_in(folder / "photos", folder / "style.png", folder / "out")


def test_two_devices_give_the_images_of_one(tmp_path):
    """In a process of its own: the number of devices is fixed once TensorFlow has started."""
    from neural_style import stylize_many

    jobs = photographs(tmp_path, 4)
    assert {outcome.status for outcome in stylize_many(jobs, **SMALL)} == {"done"}
    alone = {job.output: job.output.read_bytes() for job in jobs}
    program = f"""
        import threading, time
        import tensorflow as tf
        processor = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
        from neural_style.batch.jobs import jobs_in, stylize_many
        from neural_style.batch.executors import devices
        from tests.batch.test_executors import SMALL
        def where(_):
            time.sleep(0.2)
            return threading.get_ident(), tf.zeros([]).device[-5:]
        jobs = jobs_in({str(tmp_path / "photos")!r}, {str(tmp_path / "style.png")!r}, {str(tmp_path / "out")!r})
        with devices() as executor:
            found = set(executor.map(where, range(6)))
            assert sorted(device for _, device in found) == ["CPU:0", "CPU:1"], found
            assert [outcome.status for outcome in stylize_many(jobs, executor=executor, **SMALL)] == ["done"] * 4
            assert set(executor.map(where, range(6))) == found
        with devices(["CPU:1"]) as executor:
            assert [device for _, device in executor.map(where, range(2))] == ["CPU:1"] * 2
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert {job.output: job.output.read_bytes() for job in jobs} == alone


def test_a_missing_ray_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match="run: pip install 'ray>="):
        RayExecutor()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Ray's own
def test_jobs_of_a_killed_ray_worker_are_done_by_another(tmp_path):
    """Sixty images on two workers, one of which is killed: each is there, complete, and reported once."""
    from neural_style import stylize_many

    ray = pytest.importorskip("ray", reason="needs the extra [ray]")
    jobs = photographs(tmp_path, 60)
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": os.getcwd()}}
    )
    try:
        executor, outcomes = RayExecutor(), []
        for outcome in stylize_many(jobs, executor=executor, **SMALL):
            outcomes.append(outcome)
            if len(outcomes) == 10:
                os.kill(executor.submit(os.getpid).result(), signal.SIGKILL)
    finally:
        ray.shutdown()
    assert sorted(outcome.number for outcome in outcomes) == list(range(60))
    assert {outcome.status for outcome in outcomes} == {"done"}
    for job in jobs:
        with Image.open(job.output) as image:
            assert np.asarray(image).shape == (32, 32, 3)
