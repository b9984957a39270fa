"""Completion in the shell."""

import io
import os
import re
import subprocess
import sys

import argcomplete
import pytest

from neural_style import cli, plugins, samples
from neural_style.cli import completion
from neural_style.cli.main import command_module
from neural_style.cli.options import COMMANDS
from neural_style.cli.recipes import DESCRIPTIONS


@pytest.fixture
def complete(tmp_path, monkeypatch):
    """Completes a line, in a folder with some files."""
    for name in ("photo.jpg", "painting.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)

    def call(line):
        monkeypatch.setenv("_ARGCOMPLETE", "1")
        monkeypatch.setenv("_ARGCOMPLETE_IFS", "\n")
        monkeypatch.setenv("COMP_LINE", line)
        monkeypatch.setenv("COMP_POINT", str(len(line)))
        monkeypatch.setattr(argcomplete.CompletionFinder, "_init_debug_stream", lambda self: None)  # descriptor 9
        stream, codes = io.StringIO(), []
        parsers = {name: command_module(name).make_parser for name in ("", *COMMANDS)}
        completion.answer(parsers, exit_method=codes.append, output_stream=stream)
        assert codes == [0]
        return {word.strip() for word in stream.getvalue().splitlines()}

    return call


def test_the_first_word_is_a_command_or_an_image(complete):
    assert complete("neural-style ") == {*COMMANDS, "none", "photo.jpg", "painting.jpg", "photos/"}
    assert complete("neural-style pho") == {"photo.jpg", "photos/"}
    assert complete("neural-style ba") == {"batch"}


def test_options_are_those_of_the_command(complete):
    assert complete("neural-style photo.jpg --st") == {
        "--strength",
        "--style-scale",
        "--style",
        "--style-mask",
        "--steps",
    }
    assert complete("neural-style batch photos --w") == {"--workers"}
    assert complete("neural-style video clip.mp4 --cr") == {"--crf"}
    assert complete("neural-style app --p") == {"--port"}


def test_words_and_files_are_offered_where_they_belong(complete, monkeypatch):
    monkeypatch.setattr(plugins, "names", lambda group: ["watercolor"])
    assert complete("neural-style photo.jpg painting.jpg --recipe ") == {*DESCRIPTIONS, "watercolor"}
    assert complete("neural-style photo.jpg painting.jpg --quality ") == {"best", "fast", "instant"}
    assert complete("neural-style photo.jpg painting.jpg --seed ") == set()
    assert complete("neural-style photo.jpg painting.jpg --mask p") == {"photo.jpg", "painting.jpg", "photos/"}
    assert complete("neural-style photo.jpg pai") == {"painting.jpg"}
    assert complete("neural-style batch p") == {"photos/"}
    assert complete("neural-style samples ") == {"photos/"}
    assert complete("neural-style demo ") == {*samples.names("photograph"), *samples.names("painting")}
    assert complete("neural-style demo cat ") == set(samples.names("painting"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh"])
def test_the_code_for_a_shell_is_printed(shell, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--print-completion", shell])
    out, err = capsys.readouterr()
    assert "neural-style" in out
    assert err == ""


def test_without_argcomplete_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["--print-completion", "bash"])
    assert re.search(r"error: argcomplete is not installed .*; run: pip install '\S+'; see ", capsys.readouterr().err)


@pytest.mark.skipif(os.name == "nt", reason="runs bash")
def test_bash_completes_without_loading_tensorflow(tmp_path, capsys):
    """The whole way: the printed code, a shell, a process, its answer."""
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--print-completion", "bash"])
    program = tmp_path / "neural-style"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.modules['tensorflow'] = None\n"
        "from neural_style.cli.main import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    script = (
        capsys.readouterr().out
        + """
COMP_WORDS=(neural-style photo.jpg --recipe str) COMP_CWORD=3 COMP_LINE="neural-style photo.jpg --recipe str"
COMP_POINT=${#COMP_LINE}
_python_argcomplete neural-style
echo "${COMPREPLY[@]}"
"""
    )
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "strotss", done.stderr
