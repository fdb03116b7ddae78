"""The program that replaces the demo's pictures and index replaces nothing else."""

from pathlib import Path

import pytest

from deconv_core.errors import DeconvError
from demo import sample


@pytest.mark.parametrize(
    ("mine", "message"),
    [
        ("images/holiday.jpg", "holds more than drawings"),
        ("images/dog/holiday.jpg", "holds more than drawings"),
        ("index/notes.txt", "is not an index"),
        ("index/manifest.json", "is not an index"),
    ],
)
def test_folders_that_hold_something_else_are_left_alone(
    tmp_path: Path, mine: str, message: str
) -> None:
    (tmp_path / mine).parent.mkdir(parents=True)
    (tmp_path / mine).write_text("mine")
    with pytest.raises(DeconvError, match=message):
        sample.build_sample(tmp_path / "images", tmp_path / "index", 1)
    assert (tmp_path / mine).read_text() == "mine"
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
