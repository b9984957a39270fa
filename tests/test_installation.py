"""The lines that install the library are run as printed, page by page, in a copy of what the manual's container has."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
INSTALLATION = (ROOT / "docs" / "installation.md").read_text()
DOCKERFILE = re.search(r"^```dockerfile\n(.*?)^```", INSTALLATION, re.MULTILINE | re.DOTALL)[1]
FIRST_MINUTE = {
    "README.md": "stylized.png",
    "docs/index.md": "demo.png",
    "docs/installation.md": "demo.png",
    "docs/start.md": "painted.png",
}

pytestmark = pytest.mark.network


def shell_blocks(page, part=""):
    """The fenced shell code of a page that contains a part."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if part in block]


def put_sources(folder):
    """What the manual's container copies from the clone; so a file that is missing from its list shows."""
    for line in re.findall(r"^COPY (.*)", DOCKERFILE, re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, folder / target)


def run(block, folder, **environment):
    """What a shell prints for a block; an error of any line fails."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    quiet = {"PIP_QUIET": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    finished = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env={**inherited, **quiet, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, f"{block}\n{finished.stdout}\n{finished.stderr}"
    return finished.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """One folder for all pages: their lines are the same, and installing twice is quick."""
    folder = tmp_path_factory.mktemp("clone")
    put_sources(folder)
    return folder


@pytest.mark.parametrize("page", FIRST_MINUTE)
def test_the_first_minute_ends_with_a_picture(page, clone):
    run(shell_blocks(page, ".venv")[0], clone)
    with Image.open(clone / FIRST_MINUTE[page]) as picture:
        assert max(picture.size) >= 512


def test_tensorflow_has_its_extra_for_cards_and_names_them(clone):
    (cuda,) = shell_blocks("docs/installation.md", "and-cuda")
    if shutil.which("nvidia-smi"):
        run(cuda, clone)  # three gigabytes
    extras = "import importlib.metadata as m; print(m.metadata('tensorflow').get_all('Provides-Extra'))"
    assert re.search(r"\[(.+)\]", cuda)[1] in run(f'.venv/bin/python -c "{extras}"', clone)
    (check,) = shell_blocks("docs/installation.md", "list_physical_devices")
    assert re.fullmatch(r"\[.*\]\n", run(check, clone))


def test_the_page_in_a_browser_installs(clone):
    (install, serve) = shell_blocks("docs/howto/app.md", "[app]")[0].splitlines()
    assert serve.startswith("neural-style app")  # runs until it is stopped; `tests/cli/test_page.py` drives it
    run(f". .venv/bin/activate\n{install}\nneural-style app --help", clone)


def test_the_smaller_tensorflow_paints_as_well(tmp_path):
    put_sources(tmp_path)
    (small,) = shell_blocks("docs/installation.md", "tensorflow-cpu")
    run(f"python3 -m venv .venv\n{small}", tmp_path)
    run(".venv/bin/neural-style demo -o small.png --size 64 --steps 4 --extractor vgg16", tmp_path)
    assert re.search(r"^tensorflow[-_]cpu ", run(".venv/bin/pip list", tmp_path, PIP_QUIET="0"), re.MULTILINE)
    assert (tmp_path / "small.png").stat().st_size > 1000


def test_a_container_paints(tmp_path):
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("needs a Docker daemon")
    put_sources(tmp_path)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    for name, sample in (("photo.jpg", "cat.jpg"), ("painting.jpg", "great_wave.jpg")):
        shutil.copy(ROOT / "neural_style" / "samples" / sample, tmp_path / name)
    (block,) = shell_blocks("docs/installation.md", "docker build")
    run(block, tmp_path)
    assert (tmp_path / "painted.png").stat().st_size > 1000
