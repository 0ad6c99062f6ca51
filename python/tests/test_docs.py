"""What the documents show in Python is run, and gives what they show; and so is the notebook."""

import doctest
import os
import re
import shutil
import textwrap

import nbformat
import pytest
from conftest import FIXTURE, ROOT
from nbclient import NotebookClient

PAGES = ["docs/python.md", "python/README.md"]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with what the documents name."""
    shutil.copy(FIXTURE, tmp_path / "memory.dmp")
    shutil.copy(FIXTURE.with_suffix(".pdb"), tmp_path)
    (tmp_path / "symbols").mkdir()
    shutil.copy(FIXTURE.with_suffix(".pdb"), tmp_path / "symbols")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_blocks_give_what_they_show(desk, page):
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = [textwrap.dedent(block) for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]
    assert blocks
    names = {}
    for block in blocks:
        if ">>>" not in block:
            exec(compile(block, page, "exec"), names)
            continue
        test = doctest.DocTestParser().get_doctest(block, names, page, page, 0)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        said = []
        runner.run(test, out=said.append, clear_globs=False)
        assert runner.summarize(verbose=False).failed == 0, "".join(said)
        names.update(test.globs)


def test_every_block_of_python_is_in_a_page_that_is_run():
    for page in [*ROOT.glob("docs/*.md"), ROOT / "README.md"]:
        if "```python" in page.read_text(encoding="utf-8"):
            assert str(page.relative_to(ROOT)).replace(os.sep, "/") in PAGES, page


def said(cell):
    """What a cell of a notebook shows, as text."""
    for output in cell.get("outputs", []):
        text = output.get("text") or output.get("data", {}).get("text/plain") or output.get("evalue", "")
        yield "".join(text).strip()


def test_the_notebook_runs_and_shows_what_is_in_it():
    folder = ROOT / "examples" / "python"
    notebook = nbformat.read(folder / "hang.ipynb", as_version=4)
    nbformat.validate(notebook)
    shown = [list(said(cell)) for cell in notebook.cells]
    assert any(shown)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    client.execute()
    assert [list(said(cell)) for cell in notebook.cells] == shown
