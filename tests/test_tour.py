"""The notebook docs/tour.ipynb: it runs, is short, and says what it computes."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
PATH = ROOT / "docs/tour.ipynb"


def texts(notebook: nbformat.NotebookNode) -> str:
    """What the cells print, without bars of progress."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(one.text for one in outputs if one.get("name") == "stdout")


def test_it_is_a_lesson_of_twelve_cells_and_a_small_file() -> None:
    notebook = nbformat.read(PATH, 4)
    assert [cell.cell_type for cell in notebook.cells] == ["markdown", "code"] * 6
    minutes = re.findall(r"^\| (\d+) \|", notebook.cells[0].source, re.MULTILINE)
    assert sum(map(int, minutes)) == 45
    assert PATH.stat().st_size < 1_500_000
    assert not re.search(r"/(?:home|work|tmp|Users)/", PATH.read_text("utf-8"))
    for cell in notebook.cells[1::2]:
        assert cell.outputs
        assert {output.output_type for output in cell.outputs} <= {"display_data", "stream"}


def test_it_runs_and_prints_what_is_stored_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(PATH, 4)
    stored = texts(notebook)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("DECONV_HOME", str(tmp_path))
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    found = texts(notebook)
    number = r"\d+(?:\.\d+)?"
    assert re.split(number, found) == re.split(number, stored)
    for now, before in zip(re.findall(number, found), re.findall(number, stored), strict=True):
        assert float(now) == pytest.approx(float(before), abs=0.02 if "." in now else 2)
    shown = [cell.outputs for cell in notebook.cells[3::2]]
    pictures = "".join(one.data["text/html"] for some in shown for one in some if "data" in one)
    assert pictures.count("<figure") == 3 * 6 + 2 * 5 + 5 + 3 * 2
