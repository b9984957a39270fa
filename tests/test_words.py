"""Code and reference use the terms of the field; `docs/conventions.md` defines the words of the project."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "docs" / "reference").rglob("*.md")}
MODULES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "neural_style").rglob("*.py")}

WORDS = {
    r"pictures?": "image",
    r"slopes?": "gradient",
    r"ways? back|(on )?the way there": "backward pass, forward pass",
    r"(taken|made|computed) anew": "recomputed in the backward pass",
    r"two ways?": "forward_with_vjp, DifferentiableExtractor",
    r"loudness(es)?|louder": "gradient scale, loss scale",
    r"legs?": "segment of a network, stage of a run",
    r"told": "a verb that says what happens: report, return, summarize",
    r"apart(?! from\b)": "distance, separate",
    r"clouds?": "point set",
    r"how far (a|the|each) (layer|network|cell)s? (sees?|looks?)": "receptive field",
    r"most alive": "peak_bytes",
}
"""What the text does not say, as a pattern over its words in lower case, and what it says instead."""

ALLOWED = {
    r"slopes?": ["neural_style/optimizers/lbfgs.py"],  # the scalar derivative along a line search
    r"pictures?": ["neural_style/images/__init__.py"],  # an alias
    r"clouds?": ["neural_style/losses/clouds.py"],  # an alias
}
"""Files in which a word has another meaning, or which keep it as an alias for this release."""

NAMES = {
    "joined": "concatenate",
    "Field": "ReceptiveField",
    "most": "max_vectors",
    "every": "stride",
    "ahead": "prefetch",
    "detail": "detail_strength",
    "finish": "final_optimizer",
    "reach": "support",
}
"""Names that are not defined or passed as keywords, and the names in use."""

KEPT = {"neural_style/callbacks/saving.py": ["every"]}  # SaveEvery(every=20): an interval in steps
"""Files in which such a name has another meaning."""


def plain(text):
    """The words of a text, also those inside names, in lower case with single spaces."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)  # PascalCase
    return re.sub(r"[\W_]+", " ", text).lower()


@pytest.mark.parametrize("name", [*MODULES, *PAGES])
def test_no_text_uses_a_word_that_the_field_calls_otherwise(name):
    text = plain((MODULES | PAGES)[name])
    found = {
        match.group(): instead
        for word, instead in WORDS.items()
        if name not in ALLOWED.get(word, [])
        for match in re.finditer(rf"\b(?:{word})\b", text)
    }
    assert not found, f"{name}: " + "; ".join(f"{word!r} is {instead}" for word, instead in sorted(found.items()))


def defined(tree):
    """Names of functions, classes, arguments, keywords, fields and attributes that code gives."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


@pytest.mark.parametrize("name", MODULES)
def test_no_name_is_one_that_has_been_replaced(name):
    found = set(defined(ast.parse(MODULES[name]))) & set(NAMES) - set(KEPT.get(name, []))
    assert not found, f"{name}: " + "; ".join(f"{each!r} is {NAMES[each]}" for each in sorted(found))


@pytest.mark.parametrize("name", MODULES)
def test_limits_are_called_max_and_min(name):
    assert re.findall(r"\b_?(?:MOST|LEAST)_[A-Z_]+\b", MODULES[name]) == []


def test_words_inside_names_are_found():
    assert plain("class CloudLoss: return two_way(x)") == "class cloud loss return two way x "


PHRASES = {
    r"front door": "main functions",
    r"takes? (it )?at (its|their) word": "works with any",
    r"what (asks for|brings) calm": "smoothness",
    r"(as|so) far as it (is|goes)": "the unfinished image",
    r"bit for bit": "bit-identical",
    r"handed over": "returned, saved",
    r"put(s)? aside": "rename",
    r"(faces?|landscapes?|portraits?) (wants?|bears?|likes?)": "use ... for",
    r"under whatever name": "even under another name",
    r"beside the others": "comparison",
}
"""What the manual does not say, as a pattern in lower case, and what it says instead."""

MANUAL = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "llms.txt"]
    if "_build" not in path.parts
}


@pytest.mark.parametrize("name", MANUAL)
def test_the_manual_uses_plain_phrases(name):
    text = re.sub(r"\s+", " ", MANUAL[name]).lower()
    found = {match.group(): instead for word, instead in PHRASES.items() for match in re.finditer(word, text)}
    assert not found, f"{name}: " + "; ".join(f"{word!r}: say {instead}" for word, instead in found.items())


def test_commands_are_written_by_their_own_name():
    """`python -m neural_style` is named as the same command, and not used in examples."""
    for name, text in MANUAL.items():
        for block in re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            assert not re.search(r"python3? -m neural_style(?!\.)", block), name


def test_titles_of_pages_are_short():
    for name, text in MANUAL.items():
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        assert title is None or len(title[1]) <= 60, name


def texts():
    """Every text that people read, by its name: pages, modules, the notebook and the files at the root."""
    for kind in ("*.md", "*.txt", "docs/**/*.md", "docs/*.py", "docs/*.ipynb", "benchmarks/*.md"):
        for path in sorted(ROOT.glob(kind)):
            if "_build" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_text()
    yield from MODULES.items()


def test_nothing_tells_people_to_install_a_name_that_is_on_no_index():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    there = {re.match(r"[\w-]+", each)[0] for names in lists for each in names}
    there |= {"ipywidgets", "lpips", "playwright", "tensorflow-cpu", "torch"}
    found = [
        (name, word)
        for name, text in texts()
        for words in re.findall(r"pip3? install ([^`\n#&;|(){}]+)", text)
        for word in re.findall(r"(?:^|[\s'\"])([A-Za-z][\w-]*)", words)
        if word not in there
    ]
    assert found == []


def test_install_lines_are_found():
    assert re.search(r"pip install '?\.", dict(texts())["README.md"])
