"""The dialog that chooses a folder: what is below each folder, and a path that was pasted."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from deconv_dashboard.start import folder_counts
from deconv_dashboard.start.folder_counts import Below, pictures_below
from tests.app.conftest import Home, key_now, words
from tests.core import drawings


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    names = ("cat/1.png", "dog/1.png", "dog/old/2.png", "dog/.hidden/3.png", "dog/._4.png")
    folder = drawings.save(tmp_path / "photos", dict.fromkeys(names, drawings.noise(3, 16)))
    (folder / "dog" / "notes.txt").write_text("no picture")
    (folder / "empty").mkdir()
    (folder / "link").symlink_to(folder / "dog")
    return folder


def browsing(place: Path) -> AppTest:
    """The dialog alone, open at a folder."""

    def script() -> None:
        from deconv_dashboard.start.folder_browser import browse

        browse("typed")

    app = AppTest.from_function(script, default_timeout=60)
    app.session_state["browse_place"] = str(place)
    app.run()
    assert not app.exception
    return app


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button if str(button.key).startswith("enter")]


def paste(app: AppTest, text: str) -> AppTest:
    app.text_input(key=key_now(app, "browse_path")).input(text).run()
    assert not app.exception
    return app


def field(app: AppTest) -> str:
    return str(app.text_input(key=key_now(app, "browse_path")).value)


def test_each_folder_says_how_many_pictures_are_below(home: Home, photos: Path) -> None:
    app = browsing(photos)
    assert labels(app) == [*("cat · 1 picture", "dog · 2 pictures", "empty · 0 pictures", "link")]


def test_a_pasted_path_is_opened(home: Home, photos: Path) -> None:
    app = browsing(photos)
    assert field(app) == str(photos)
    for text in (f"'{photos}/dog' ", f"file://{photos}/dog", str(photos / "dog" / "1.png")):
        assert field(paste(app, text)) == str(photos / "dog")
        assert labels(app) == ["old · 1 picture"]
        paste(app, str(photos))
    assert "is not a folder" in words(paste(app, str(photos / "nothing")))
    assert field(app) == str(photos)


def test_a_path_that_may_not_be_opened_says_nothing_of_the_disk(
    home: Home, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECONV_FOLDERS", str(photos / "dog"))
    app = browsing(photos / "dog")
    for text in (photos / "cat", photos / "nothing", photos / "cat" / "1.png"):
        said = words(paste(app, str(text)))
        assert f"{text.name} is outside the folders this server offers" in said
        assert field(app) == str(photos / "dog")


def test_counting_takes_a_limited_time(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(1000))
    monkeypatch.setattr(folder_counts.time, "monotonic", lambda: float(next(seconds)))
    found = pictures_below([photos / "cat", photos / "dog", photos / "empty"], seconds=4.0)
    assert found == {photos / "cat": Below(1, whole=True), photos / "dog": Below(0, whole=False)}
    assert [Below(1, whole=True).text, Below(0, whole=False).text] == ["1 picture", ""]
    assert Below(1200, whole=False).text == "more than 1,200 pictures"
