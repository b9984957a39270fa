"""What the manual's examples need to be run by tests: the files they name, and smaller sizes."""

import ast

import numpy as np
from PIL import Image

SIZED = {"stylize": {"size": 48, "steps": 2}, "sweep": {"size": 48, "steps": 2}, "run": {"size": 48, "steps": 2}}
SIZED["target"] = {"size": 48}


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
