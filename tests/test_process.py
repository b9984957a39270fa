"""Settings of the commands' own process: streams that are there, and a TensorFlow that starts without noise.

In processes of their own, with a module called tensorflow that takes no time to load.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neural_style import _process

ROOT = Path(__file__).parents[1]
NOISE = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795885417.234143   23616 port.cc:153] oneDNN custom operations are on.
I0000 00:00:1795885417.234503   23616 cudart_stub.cc:31] Could not find cuda drivers on your machine.
E0000 00:00:1795885419.829259   23616 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: Failed
E0000 00:00:1795885419.829259   23616 cuda_dnn.cc:8579] Unable to register cuDNN factory: Attempting to register
2026-11-28 17:03:39.829259: I tensorflow/core/platform/cpu_feature_guard.cc:210] This binary is optimized
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow
2026-11-28 17:03:39.829259: E external/xla/stream_executor/cuda/cuda_platform.cc:51] failed call to cuInit: UNKNOWN
"""
REAL = [
    "F0000 00:00:1795885417.234143 1 cpu_feature_guard.cc:1] compiled to use AVX instructions, which are not available",
    "E0000 00:00:1795885417.234143 1 env.cc:2] Failed to load the library",
    "2026-11-28 17:03:39.829259: W env.cc:2] Out of memory",
    "terminate called after throwing an instance of 'std::bad_alloc'",
]


def run(code, *paths, **environment):
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*paths, ROOT)))}
    variables.pop("TF_CPP_MIN_LOG_LEVEL", None)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=variables | environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def start(tmp_path):
    """Imports, as a command does, a module called tensorflow with the given code; gives the finished process."""

    def call(code, *, before="", after="", **environment):
        (tmp_path / "tensorflow.py").write_text(code)
        program = f"import neural_style._process as p\n{before}\np.configure_process()\nimport tensorflow\n{after}"
        return run(program, tmp_path, **environment)

    return call


def test_earlier_interfaces_are_loaded_only_where_they_are_used():
    code = (
        "from neural_style._process import configure_process; configure_process(); import sys, tensorflow as tf\n"
        "assert 'tensorflow._api.v2.compat.v1.nn' not in sys.modules\n"
        "assert tf.compat.v1.placeholder.__name__ == 'placeholder' and tf.compat.v2.nn.relu is tf.nn.relu\n"
        "import tensorflow.compat.v1 as earlier; assert earlier.Session is tf.compat.v1.Session"
    )
    finished = run(code)
    assert not finished.returncode, finished.stderr


def test_keras_and_scipy_are_loaded_only_where_they_are_used():
    code = (
        "from neural_style._process import configure_process; configure_process(); import sys, tensorflow as tf\n"
        "assert not {'keras', 'scipy'} & set(sys.modules)\n"
        "import scipy.sparse; assert scipy.sparse.issparse(scipy.sparse.eye(2))\n"
        "layer = tf.keras.layers.Dense(2); import keras\n"
        "assert isinstance(layer, keras.layers.Dense) and keras.optimizers.Adam is tf.keras.optimizers.Adam"
    )
    finished = run(code)
    assert finished.returncode == 0, finished.stderr


def test_only_what_tensorflow_makes_while_it_loads_is_never_collected(start):
    later = "cycle = []; cycle.append(cycle); print(gc.isenabled(), any(each is cycle for each in gc.get_objects()))"
    loaded = "print(any(each is tensorflow.made for each in gc.get_objects()))"
    finished = start("import gc; print(gc.isenabled()); made = [[]]", after=f"import gc; {later}; {loaded}")
    assert finished.stdout.split() == ["False", "True", "True", "False"]


def says(*lines):
    text = "".join(line.removesuffix("\n") + "\n" for line in lines)
    return f"import os, sys; os.write(2, {text.encode()!r})"


DEVICES = "class config:\n    list_physical_devices = staticmethod(lambda: os.write(2, {!r}))"


@pytest.mark.skipif(any(map(os.path.exists, _process._GPU_DEVICES)), reason="the machine has a GPU")
def test_the_noise_of_a_start_is_dropped_and_what_comes_later_is_not(start):
    code = f"{says(NOISE)}\n{DEVICES.format(NOISE.encode())}"
    done = start(code, after="import os, sys; os.write(2, b'I0000 later\\n'); print('python', file=sys.stderr)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "I0000 later\npython\n")


@pytest.mark.parametrize("line", REAL)
def test_real_errors_are_shown(start, line):
    assert start(says(NOISE, line)).stderr == f"{line}\n"


def test_an_error_of_the_gpu_is_shown_where_there_is_one(start):
    lines = [line for line in NOISE.splitlines() if "cuInit" in line]
    done = start(says(NOISE), before="p._GPU_DEVICES = (p.__file__,)  # stands for the device of a driver")
    assert done.stderr.splitlines() == lines


@pytest.mark.skipif(os.name == "nt", reason="ends by a POSIX signal")
def test_the_last_words_of_a_crash_are_shown(start):
    done = start(f"{says(NOISE, REAL[0])}; os.abort()")
    assert done.returncode < 0
    assert REAL[0] in done.stderr


def test_an_import_that_fails_is_raised(start):
    done = start(f"{says(NOISE, REAL[1])}; raise ImportError('DLL load failed')")
    assert done.stderr.startswith(f"{REAL[1]}\nTraceback")
    assert done.stderr.endswith("ImportError: DLL load failed\n")


@pytest.mark.parametrize("level", ["0", "1"])
def test_whoever_asks_for_the_log_gets_all_of_it(start, level):
    assert start(says(NOISE), TF_CPP_MIN_LOG_LEVEL=level).stderr == NOISE


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_an_interrupt_waits_until_tensorflow_is_loaded(start):
    """Raised inside, it would come out as an error of the import."""
    interrupted = "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    for _ in range(9): pass\n"
    done = start(
        f"{interrupted}except KeyboardInterrupt:\n    raise ImportError('initialization failed')",
        before="import signal; signal.signal(signal.SIGINT, signal.default_int_handler)",
    )
    assert done.stderr.endswith("KeyboardInterrupt\n")
    assert "ImportError" not in done.stderr


def test_configuring_twice_is_configuring_once():
    code = "from neural_style._process import configure_process as c; import sys; c(); n = len(sys.meta_path); c()"
    assert run(f"{code}; print(len(sys.meta_path) - n)").stdout == "0\n"


STREAMS = """
import os, sys
from neural_style._process import configure_process
configure_process()
assert os.open(os.devnull, os.O_RDONLY) > 2
assert all(map(os.get_inheritable, range(3)))
sys.stderr.write("nobody reads this")
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX descriptors")
@pytest.mark.parametrize("closing", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_no_file_gets_the_number_of_a_closed_stream(closing):
    """TensorFlow writes its log to descriptor 2, whatever file that is."""
    command = ["sh", "-c", f'exec "$0" -c "$1" {closing}', sys.executable, STREAMS]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False, timeout=60)
    assert done.returncode == 0


PRELOADED = """
import sys, threading
from pathlib import Path
from neural_style._process import configure_process, tensorflow_preloaded
configure_process()
with tensorflow_preloaded():
    sys.stderr.write("meanwhile\\n")
assert threading.active_count() == 1
assert all(f"{name}.so" in Path("/proc/self/maps").read_text() for name in ("framework", "_cc"))
assert "tensorflow" not in sys.modules
import tensorflow as tf
assert float(tf.constant(1.0) + 1.0) == 2.0
with tensorflow_preloaded():
    assert threading.active_count() == 1
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_libraries_are_loaded_without_noise_before_tensorflow_is_imported():
    finished = run(PRELOADED)
    assert (finished.returncode, finished.stderr) == (0, "meanwhile\n")


@pytest.mark.parametrize("missing", ["libraries", "package"])
def test_preloading_leaves_what_is_missing_to_the_import(tmp_path, missing):
    (tmp_path / "tensorflow.py").write_text("print('imported')")
    hide = "sys.path.clear()" if missing == "package" else ""
    code = (
        f"import sys; from neural_style._process import tensorflow_preloaded\n{hide}\nwith tensorflow_preloaded(): pass"
    )
    finished = run(f"{code}\nimport tensorflow" if missing == "libraries" else code, tmp_path)
    assert (finished.returncode, finished.stdout) == (0, "imported\n" if missing == "libraries" else "")


ENDING = """
import atexit, sys, threading, time
from neural_style._process import end_process
atexit.register(sys.stdout.write, "registered, ")
threading.Thread(target=lambda: (time.sleep(0.3), sys.stdout.write("thread, "))).start()
sys.stdout.write("main, ")
{0}
end_process(3)
"""


@pytest.mark.parametrize("end", ["", "sys.stderr = None", "sys.stderr.close()"])
def test_a_process_ends_after_its_threads_and_what_was_registered(end):
    finished = run(ENDING.format(end))
    assert (finished.returncode, finished.stdout, finished.stderr) == (3, "main, thread, registered, ", "")
