"""The command `neural-style app` in a process of its own, for the tests of the page."""

import contextlib
import os
import signal
import socket
import subprocess
import sys


@contextlib.contextmanager
def serve(folder):
    """Start the server, and give its address; `folder` is for its temporary files, and must be empty afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "neural_style", "app", "--port", str(port)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(folder)}, **pipes) as process:
        try:
            line = process.stdout.readline()
            assert line == f"open http://127.0.0.1:{port}/ in a browser; press Ctrl-C to stop\n"
            yield f"http://127.0.0.1:{port}"
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert list(folder.iterdir()) == [], "uploads and paintings are left"
        finally:
            process.kill()
