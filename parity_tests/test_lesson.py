"""The lesson in docs/ was run, shows what it says, and runs again."""

import json

import pytest

from parity_tests.conftest import OTHERS, ROOT

LESSON = ROOT / "docs" / "lesson.ipynb"


def cells():
    return json.loads(LESSON.read_text(encoding="utf-8"))["cells"]


def code_cells():
    return [cell for cell in cells() if cell["cell_type"] == "code"]


def test_every_cell_was_run_in_order_and_none_failed():
    assert [cell["execution_count"] for cell in code_cells()] == list(
        range(1, len(code_cells()) + 1)
    )
    kinds = [out["output_type"] for cell in code_cells() for out in cell["outputs"]]
    assert set(kinds) == {"execute_result"}
    assert len(kinds) == len(code_cells())


def test_it_shows_two_pictures_and_four_tables():
    shown = [kind for c in code_cells() for out in c["outputs"] for kind in out["data"]]
    assert shown.count("image/png") == 2
    assert shown.count("text/html") == 5  # the run's three tables count as one


def test_its_exercises_are_those_that_have_answers():
    last = "".join(cells()[-1]["source"])
    asked = last.count("\n1. ") + sum(last.count(f"\n{n}. ") for n in range(2, 10))
    answers = (ROOT / "docs" / "exercises.md").read_text(encoding="utf-8")
    assert asked == answers.count(".** ") == 6


@pytest.mark.thorough
@pytest.mark.skipif(len(OTHERS) < 3, reason="the lesson compares all four")
def test_it_runs():
    nbclient = pytest.importorskip("nbclient", reason="needs the extra 'notebook'")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(LESSON, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(ROOT)}}
    )
    client.execute()
    (at,) = (
        n for n, c in enumerate(cells()) if c["source"] == ["run.accuracy[columns]"]
    )
    old, new = (
        "".join(made[at]["outputs"][0]["data"]["text/html"])
        for made in (cells(), notebook.cells)
    )
    assert old == new  # losses and accuracies, to every digit shown
