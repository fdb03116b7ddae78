"""Texts for people: numbers with their nouns, without Python, without a mark of a false success."""

import ast
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from deconv_core.errors import ImageError
from deconv_core.images.folder import ImageFolder
from deconv_dashboard.jobs.scans import start_scan
from tests.app.conftest import Home, OpenPage, words
from tests.app.test_jobs import ended
from tests.app.test_start import start
from tests.core import drawings

ROOT = Path(__file__).parents[2]
INTERNAL = r"<|\bobject\b|0x|_io|buffer|argument|attribute|\b1 \w+s\b"
NOUN = re.compile(r" (?:images|maps|pictures|files|labels|networks|datasets)\b")


def numbers_before_nouns(path: Path) -> list[str]:
    """Texts like f"{number} images", which would say "1 images"."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, after in zip(node.values, node.values[1:], strict=False):
            text = after.value if isinstance(after, ast.Constant) else ""
            if isinstance(value, ast.FormattedValue) and NOUN.match(str(text)):
                found.append(f"{path.name}: {ast.unparse(value.value)}{text}")
    return found


def test_a_number_stands_before_its_noun_only_as_counted() -> None:
    files = [*ROOT.glob("deconv_dashboard/**/*.py"), *ROOT.glob("pages/*.py"), ROOT / "app.py"]
    many = {"total", "files", "len(table)", "sample", "maps"}  # never 1, as are constants
    found = [text for path in files for text in numbers_before_nouns(path)]
    numbers = [text.partition(": ")[2].partition(" ")[0] for text in found]
    assert [n for n in numbers if n not in many and not n.isupper()] == []


def damaged(content: bytes) -> list[bytes]:
    cut = [content[:length] for length in (1, 3, 10, 30, len(content) // 2, len(content) - 5)]
    flipped = [
        content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]
        for place in range(0, 60, 3)
    ]
    return cut + flipped


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "ICO", "TGA"])
def test_a_reason_says_nothing_about_python(tmp_path: Path, kind: str) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((40, 40), 50).save(buffer, kind)
    for number, content in enumerate(damaged(buffer.getvalue())):
        (tmp_path / f"{number}.{kind.lower()}").write_bytes(content)
    folder = ImageFolder(tmp_path)
    reasons = []
    for position in range(len(folder)):
        try:
            folder.read(position)
        except ImageError as error:
            reasons.append(str(error))
    assert reasons
    assert [reason for reason in reasons if re.search(INTERNAL, reason)] == []


def test_a_scan_with_unreadable_files_does_not_look_like_a_success(
    home: Home, tmp_path: Path
) -> None:
    folder = drawings.save(tmp_path / "two", {"1.png": drawings.noise(1, 16)})
    (folder / "2.png").write_bytes(b"not a picture")
    dataset = home.registry.add_folder(folder)
    start_scan(home.registry, dataset, home.network)
    path = home.registry.index_path(dataset, home.network)
    assert ended(home.registry, path).status == "done"
    said = words(start(network=home.network.network_id, dataset=dataset.dataset_id))
    assert "**1 image scanned**, 1 file not readable" in said
    assert "check_circle" not in said


def test_a_map_of_images_that_cannot_be_read(
    home: Home, open_page: OpenPage, tmp_path: Path
) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"not a picture")
    dataset = home.registry.add_folder(folder)
    start_scan(home.registry, dataset, home.network)
    path = home.registry.index_path(dataset, home.network)
    assert ended(home.registry, path).status == "done"
    said = words(open_page("feature_map", dataset=dataset.dataset_id, layer="conv1_1", map="0"))
    assert "No image can be read" in said
    assert "none of 0" not in said
