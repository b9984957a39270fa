"""What the manual's examples need to be run by tests: the files they name, and smaller sizes."""

import ast
import io
import re
import shlex
from pathlib import Path

import numpy as np
from PIL import Image

from neural_style import cli, samples
from tests import moving

PAINTED = ("stylize", "stylize_many", "sweep", "run")
SIZED = {name: {"size": 48, "steps": 2} for name in PAINTED} | {"target": {"size": 48}}
SIZED["stylize_video"] = {"size": 32, "steps": 2, "frame_steps": 1}


def put_files(folder, docs):
    """Every picture that the manual calls by a short name, and the repository's `docs`."""
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for name in ("photo.jpg", "portrait.jpg", "painting.jpg", "sky.jpg", "sea.jpg", "photos/a.jpg", "photos/b.png"):
        Image.fromarray(rng.integers(0, 256, (40, 48, 3), np.uint8)).save(folder / name)
    top = np.zeros((40, 48), np.uint8)
    top[:20] = 255
    for name, mask in (
        ("top.png", top),
        ("hair.png", top),
        ("bottom.png", 255 - top),
        ("photo-labels.png", top),
        ("painting-labels.png", top),
    ):
        Image.fromarray(mask).save(folder / name)
    (folder / "docs").symlink_to(docs)


def put_clip(folder):
    """A clip of two frames, as `clip.mp4`."""
    moving.write(folder / "clip.mp4", moving.scenes(samples.path("astronaut"), (48, 32), 2))


class _Smaller(ast.NodeTransformer):
    def visit_Call(self, node):
        self.generic_visit(node)
        name = getattr(node.func, "attr", getattr(node.func, "id", None))
        small = SIZED.get(name, {})
        if "'instant'" in map(ast.unparse, (each.value for each in node.keywords if each.arg == "quality")):
            small = {name: value for name, value in small.items() if name != "steps"}
        if small:
            kept = [each for each in node.keywords if each.arg not in small]
            node.keywords = kept + [ast.keyword(key, ast.Constant(value)) for key, value in small.items()]
        return node


def smaller(code):
    """The same code with every picture at 48 pixels, in two steps."""
    return ast.unparse(ast.fix_missing_locations(_Smaller().visit(ast.parse(code))))


def python_blocks(text):
    """The fenced Python of a page, block by block."""
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text):
    """The lines of a page's fenced code that call the program, each on one line and without a folder before it."""
    code = "".join(re.findall(r"^```(?:sh|bash|text|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    called = r"^(?:\$ )?(?:\S*/)?(?:neural-style|python -m neural_style)\b(?! \.).*"
    lines = re.findall(called, code.replace("\\\n", ""), re.MULTILINE)
    return [re.sub(r"^.*?(?:neural-style|python -m neural_style)\b", "neural-style", line) for line in lines]


def smaller_command(arguments):
    """The same arguments at 32 pixels, in two steps."""
    if arguments[0] == "samples" or "--replay" in arguments:
        return arguments
    size = ["--size", "32"]
    workers = ["--workers", "1"] if arguments[0] == "batch" else []
    if "instant" in arguments:  # one pass has no steps
        return [*arguments, *size, *workers]
    network = [] if "fast" in arguments else ["--extractor", "vgg16"]
    frames = ["--frame-steps", "1"] if arguments[0] == "video" else []
    return [*arguments, *size, *workers, "--steps", "2", *network, *frames]


def run_command(line, monkeypatch):
    """Run a command as a shell would, which knows `<` and `>`, but small; its arguments and the file after `>`."""
    program, *words = shlex.split(line, comments=True)
    assert program == "neural-style"
    source, output = (words[words.index(sign) + 1] if sign in words else None for sign in "<>")
    arguments = words[: min((words.index(sign) for sign in "<>" if sign in words), default=None)]
    with monkeypatch.context() as patched:
        stdout = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
        patched.setattr("sys.stdout", stdout)
        if source is not None:
            patched.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path(source).read_bytes())))
        assert cli.main(smaller_command(arguments)) == 0, line
    if output is not None:
        Path(output).write_bytes(stdout.buffer.getvalue())
    return arguments, output


def painted_files(arguments, output=None):
    """The images that a command has painted; none for a clip and for the samples."""
    if arguments[0] in ("samples", "video"):
        return []
    name = arguments[arguments.index("-o") + 1] if "-o" in arguments else "demo.png"
    path = Path(output if name == "-" else name)
    return sorted(path.glob("*.png")) if path.is_dir() else [path]
