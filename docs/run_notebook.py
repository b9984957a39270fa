"""Run the notebook, and store it with small outputs: `python docs/run_notebook.py` takes two minutes on two cores."""

from __future__ import annotations

import base64
import io
import tempfile
from pathlib import Path
from typing import Any

import nbclient
import nbformat
from PIL import Image

NOTEBOOK = Path(__file__).resolve().parent / "notebook.ipynb"
MAX_PNG = 60_000  # bytes in base64; larger images are stored as JPEG


def shrink(data: dict[str, Any]) -> None:
    """Keep one image of an output: a small PNG as it is, a large one as JPEG."""
    if len(png := data.get("image/png", "")) <= MAX_PNG:
        data.pop("image/jpeg", None)
        return
    image, jpeg = Image.open(io.BytesIO(base64.b64decode(png))), io.BytesIO()
    image.convert("RGB").save(jpeg, "JPEG", quality=85, optimize=True)
    data["image/jpeg"] = base64.b64encode(jpeg.getvalue()).decode()
    del data["image/png"]


def main() -> None:
    """Run all cells in an empty folder, as a newcomer would, and write the notebook with what they show."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        place = {"metadata": {"path": folder}}
        nbclient.NotebookClient(notebook, timeout=900, resources=place, coalesce_streams=True).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when each cell ran
        for output in cell.get("outputs", []):
            shrink(output.get("data", {}))
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
