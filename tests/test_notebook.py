"""The notebook: clean as committed, and executed from top to bottom, small."""

import base64
import io
import re
from pathlib import Path

import nbclient
import nbformat
import pytest
from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
SMALL = {"SIZE": 64, "STEPS": 8}


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(DOCS / "notebook.ipynb", as_version=4)


def test_it_is_committed_clean(notebook):
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None, cell.source


def shown(cell, kind):
    return [output.data[kind] for output in cell.outputs if kind in output.get("data", {})]


def size_of(png):
    return Image.open(io.BytesIO(base64.b64decode(png))).size


def test_it_runs_from_top_to_bottom(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    small = nbformat.from_dict(notebook)
    choices = next(cell for cell in small.cells if "parameters" in cell.metadata.get("tags", []))
    for name, value in SMALL.items():
        choices.source, found = re.subn(rf"^{name} = \S+", f"{name} = {value}", choices.source, flags=re.MULTILINE)
        assert found == 1
    nbclient.NotebookClient(small, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()

    cells = {cell.id: cell for cell in small.cells}
    assert size_of(shown(cells["paint"], "image/png")[0]) == (64, 64)  # the canvas as it emerges
    bars = "".join(output.text for output in cells["paint"].outputs if output.get("name") == "stderr")
    assert "painting: 100%" in bars or shown(cells["paint"], "application/vnd.jupyter.widget-view+json")
    assert "8 steps" in shown(cells["result"], "text/html")[0]
    for name in ("side-by-side", "history", "evolution"):
        assert min(size_of(shown(cells[name], "image/png")[0])) > 100, name
    assert (tmp_path / "painted.png").stat().st_size > 1000
    with Image.open(tmp_path / "painted.gif") as film:
        assert film.n_frames == 8
    assert len(shown(cells["download"], "text/html")) == 2
