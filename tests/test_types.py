"""Types as a user of the installed package meets them, checked by mypy in another folder."""

import shutil
import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).with_name("typed_sample.py")


def test_strict_mypy_accepts_a_users_program(tmp_path):
    shutil.copy(SAMPLE, tmp_path / "program.py")
    command = [sys.executable, "-m", "mypy", "--strict", "--warn-unreachable", "--config-file=", "program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
