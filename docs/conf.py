"""Sphinx configuration: `pip install -e '.[docs]' && sphinx-build -W docs docs/_build`."""

import os
import re
from importlib import resources
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from docutils import nodes
from latex2mathml.converter import convert

from neural_style import __version__

project = "neural_style"
author = "The neural_style authors"
project_copyright = "2026, the neural_style authors"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
default_role = "py:obj"  # `name` in a docstring is code, and a link if such a name exists
exclude_patterns = ["_build", "images/README.md"]
myst_enable_extensions = ["attrs_block", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # links into the repository

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
html_math_renderer = "mathml"
html_theme = "furo"
html_title = "neural_style"
# ziamath carries STIX Two Math (SIL Open Font License 1.1), whose brackets grow with what is in them.
html_static_path = ["_static", str(resources.files("ziamath") / "fonts")]
html_css_files = ["manual.css"]
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def pages_by_name() -> dict[str, list[str]]:
    """Map each name to the pages whose code uses it: `{name: [page, ...]}`."""
    docs, found = Path(__file__).parent, {}
    kinds = ("start.md", "tutorial.md", "howto/*.md", "gallery/*/*.md")
    for page in (page for kind in kinds for page in sorted(docs.glob(kind))):
        found_code = re.findall(r"^```python\n(.*?)^```|`([^`\n]+)`", page.read_text(), re.DOTALL | re.MULTILINE)
        code = "\n".join(part for parts in found_code for part in parts)
        for name in set(re.findall(r"[A-Za-z_]\w+", code)):
            found.setdefault(name, []).append(str(page.relative_to(docs).with_suffix("")))
    return found


PAGES = pages_by_name()


def add_pages(app, what, name, obj, options, lines) -> None:
    """Link each class and function of the reference to the pages that use it."""
    pages = PAGES.get(name.rpartition(".")[2], []) if what in ("class", "function", "exception") else []
    if pages:
        lines += ["", "Used in: " + ", ".join(f":doc:`/{page}`" for page in pages) + "."]


def show_public_bases(app, name, obj, options, bases) -> None:
    """Name the nearest public class in place of a private base."""
    bases[:] = [next(each for each in getattr(base, "__mro__", [base]) if each.__name__[0] != "_") for base in bases]


def add_pictures(app, docname, source) -> None:
    """List the pages of the gallery under its index, which a script writes for readers on a code host as well."""
    if docname == "gallery/pictures/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"


def write_formula(display):
    """Write formulas as MathML, which browsers render without a script or a network connection."""

    def write(translator, node) -> None:
        formula = convert(node.astext(), display=display)
        # Norm bars keep a fixed height: a closing bar with an exponent would not stretch with the opening one.
        translator.body.append(formula.replace("<mo>&#x02016;</mo>", '<mo stretchy="false">&#x02016;</mo>'))
        raise nodes.SkipNode

    return write


def write_llms(app, error) -> None:
    """Put the repository's llms.txt at the root of the website, with links to its pages."""
    if error is None and app.builder.name == "html":
        text = (Path(__file__).parents[1] / "llms.txt").read_text()
        (Path(app.outdir) / "llms.txt").write_text(re.sub(r"\]\(docs/([\w/]+)\.md\)", r"](\1.html)", text))


def setup(app) -> None:
    """Register the extensions of this file with Sphinx."""
    app.add_html_math_renderer("mathml", (write_formula("inline"), None), (write_formula("block"), None))
    app.connect("source-read", add_pictures)
    app.connect("autodoc-process-docstring", add_pages, priority=900)  # after napoleon
    app.connect("autodoc-process-bases", show_public_bases)
    app.connect("build-finished", write_llms)
