"""Executors: shares of a machine, a device for each thread, Ray."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
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
    with pytest.raises(ImportError, match=r"tf-neural-style\[ray\]"):
        RayExecutor()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Ray's own
def test_jobs_of_a_killed_ray_worker_are_done_by_another(tmp_path):
    """Sixty images on two workers, one of which is killed: each is there, complete, and reported once."""
    from neural_style import stylize_many

    ray = pytest.importorskip("ray", reason="pip install tf-neural-style[ray]")
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
