"""The stored pictures of Start for the demo: shown only for exactly that question."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from deconv_core.demo import demo_opening
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.choice import choose
from deconv_dashboard.server import resources
from deconv_dashboard.start import opening
from deconv_dashboard.values import Answer, Choice

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
from deconv_dashboard.server import resources
resources._SHOWN_FIRST = 300
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({app!r}, default_timeout=240).run()
assert not app.exception, app.exception
said = " ".join(str(part.value) for kind in ("caption", "markdown") for part in app.get(kind))
assert "256 images" in said, said
assert "same colour scale in all tiles" in said, said
print([name for name in ("torch", "torchvision", "scipy") if name in sys.modules])
"""


def test_the_first_page_is_whole_without_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECONV_HOME", str(tmp_path))
    program = PROGRAM.format(app=str(ROOT / "app.py"))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_torch_is_loaded_behind_the_first_page() -> None:
    program = (
        "import sys; from deconv_dashboard.server import resources\n"
        "resources._SHOWN_FIRST = 0\n"
        "assert 'torch' not in sys.modules\n"
        "resources.warm_up().join()\n"
        "assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


@pytest.fixture
def choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Choice:
    monkeypatch.setenv("DECONV_HOME", str(tmp_path))
    monkeypatch.setattr("deconv_dashboard.frame.address.asked", lambda page: {})
    return choose("start", [])


def test_only_for_the_question_that_was_stored(choice: Choice, tmp_path: Path) -> None:
    stored = demo_opening()
    answer = Answer(None, list(stored.activations))
    assert opening.opening_for(choice, stored.layer, answer) is not None
    assert opening.opening_for(choice, "conv3_4", answer) is None
    assert opening.opening_for(choice, stored.layer, replace(answer, label="dog")) is None
    moved = [replace(stored.activations[0], row=0), *stored.activations[1:]]
    assert opening.opening_for(choice, stored.layer, Answer(None, moved)) is None
    fewer = Answer(None, list(stored.activations[:4]))
    assert opening.opening_for(choice, stored.layer, fewer) is None
    registry = Registry(tmp_path)
    other = replace(choice, network=registry.network("random"))
    assert opening.opening_for(other, stored.layer, answer) is None
    elsewhere = replace(choice, index_path=tmp_path / "index")
    assert opening.opening_for(elsewhere, stored.layer, answer) is None


def test_without_its_files_the_page_computes(
    choice: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = demo_opening()

    def missing() -> None:
        raise FileNotFoundError

    resources._opening.clear()
    monkeypatch.setattr(resources, "demo_opening", missing)
    answer = Answer(None, list(stored.activations))
    assert opening.opening_for(choice, stored.layer, answer) is None
    resources._opening.clear()
