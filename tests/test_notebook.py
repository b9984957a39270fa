"""The notebook: stored with what it shows, and run from top to bottom in an empty folder, small."""

import base64
import io
import re
from pathlib import Path

import nbclient
import nbformat
import pytest
from PIL import Image

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"
SMALL = {"SIZE": 64, "STEPS": 8}


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def check_outputs(notebook):
    """Every cell ran once, in order, and none wrote an error or a line on stderr."""
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    outputs = [(cell.id, output) for cell in code(notebook) for output in cell.outputs]
    assert not [cell for cell, output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def shown(cell):
    """The images that a cell shows."""
    for output in cell.outputs:
        data = output.get("data", {})
        if encoded := data.get("image/png", data.get("image/jpeg")):
            yield Image.open(io.BytesIO(base64.b64decode(encoded)))


PICTURES = ["pictures", "instant", "see", "paint", "evolution", "history", "sheet", "mask"]


def test_it_is_stored_with_its_pictures(notebook):
    nbformat.validate(notebook)
    check_outputs(notebook)
    cells = {cell.id: cell for cell in notebook.cells}
    for name in PICTURES:
        assert [min(image.size) > 100 for image in shown(cells[name])] == [True], name
    assert NOTEBOOK.stat().st_size < 1.5e6


def test_it_names_what_has_to_be_filled_in(notebook):
    """Where the package is not installed, the second cell says what to enter, before anything is downloaded."""
    cell = code(notebook)[0].source
    source = re.sub("%pip .*", "pass", cell).replace('"neural_style"', '"no_such_package"')
    with pytest.raises(ValueError, match="enter a path or an address in SOURCE"):
        exec(source, {})


def smaller(notebook):
    small = nbformat.from_dict(notebook)
    choices = next(cell for cell in small.cells if "parameters" in cell.metadata.get("tags", []))
    for name, value in SMALL.items():
        choices.source, found = re.subn(rf"^{name} = \S+", f"{name} = {value}", choices.source, flags=re.MULTILINE)
        assert found == 1
    for cell in code(small):
        cell.outputs, cell.execution_count = [], None
    return small


def test_it_runs_from_top_to_bottom(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    place = tmp_path / "empty"
    place.mkdir()
    small = smaller(notebook)
    nbclient.NotebookClient(small, timeout=300, resources={"metadata": {"path": str(place)}}).execute()
    check_outputs(small)

    cells = {cell.id: cell for cell in small.cells}
    assert next(shown(cells["paint"])).size == (64, 48)  # the canvas as it develops
    assert "painting: 100%" in "".join(output.get("text", "") for output in cells["paint"].outputs)
    for name in ("pictures", "see", "evolution", "history", "sheet"):
        assert min(next(shown(cells[name])).size) > 100, name
    assert (place / "painted.png").stat().st_size > 1000
    with Image.open(place / "painted.gif") as film:
        assert film.n_frames == 8
    assert sorted(path.name for path in place.iterdir()) == ["painted.gif", "painted.png"]
