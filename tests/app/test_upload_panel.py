"""Uploading on Start: names in zips with their choice, what was left out, what is refused."""

from collections.abc import Sequence

import pytest
from streamlit.testing.v1 import AppTest

from deconv_core import ImageFolder
from tests.app.conftest import APP, Home, words
from tests.app.raw_zips import png, raw_zip

RUSSIAN = ["кот/фото.png", "пёс/ёж.png"]


@pytest.fixture
def start(home: Home) -> AppTest:
    """Start, where an upload is chosen."""
    app = AppTest.from_file(str(APP), default_timeout=240)
    for name, text in home.names.items():
        app.query_params[name] = text
    app.run()
    app.segmented_control(key="source").set_value("upload").run()
    assert not app.exception, app.exception
    return app


def given(app: AppTest, files: Sequence[tuple[str, bytes]]) -> AppTest:
    app.file_uploader[0].set_value([(*file, "") for file in files]).run()
    assert not app.exception, app.exception
    return app


def used(app: AppTest) -> AppTest:
    app.button(key="use_upload").click().run()
    assert not app.exception, app.exception
    return app


def code_page_picker(app: AppTest) -> list[object]:
    return [box for box in app.selectbox if str(box.key).startswith("code_page ")]


def old_zip(page: str = "cp866") -> tuple[str, bytes]:
    return "zoo.zip", raw_zip([name.encode(page) for name in RUSSIAN]).getvalue()


def test_the_guess_is_shown_and_used(home: Home, start: AppTest) -> None:
    app = given(start, [old_zip()])
    (picker,) = code_page_picker(app)
    assert picker.value == "cp866"  # type: ignore[attr-defined]
    assert "кот/фото.png · пёс/ёж.png" in words(app)
    used(app)
    dataset = home.registry.datasets()[1]
    assert ImageFolder(dataset.root).labels == {"кот": 1, "пёс": 1}


def test_names_change_with_the_choice(home: Home, start: AppTest) -> None:
    app = given(start, [old_zip()])
    (picker,) = code_page_picker(app)
    picker.set_value("cp850").run()  # type: ignore[attr-defined]
    as_cp850 = "кот/фото.png".encode("cp866").decode("cp850")
    assert as_cp850 in words(app)
    assert "кот" not in words(app)
    used(app)
    labels = ImageFolder(home.registry.datasets()[1].root).labels
    assert as_cp850.partition("/")[0] in labels


def test_nothing_is_asked_where_names_are_sure(home: Home, start: AppTest) -> None:
    app = given(start, [("zoo.zip", raw_zip([b"dog/a.png", b"cat/b.png"]).getvalue())])
    assert not code_page_picker(app)
    assert not code_page_picker(given(start, [("a.png", png())]))


def test_a_zip_among_pictures_is_left_out(home: Home, start: AppTest) -> None:
    app = used(given(start, [("zoo/a.png", png()), old_zip()]))
    assert not app.error
    assert home.registry.datasets()[1].kind == "upload"
    assert "1 file of the upload left out" in [expander.label for expander in app.expander]


def test_two_zips_are_refused_in_words(home: Home, start: AppTest) -> None:
    app = used(given(start, [old_zip(), ("b.zip", old_zip()[1])]))
    assert "Give one zip at a time; remove the others." in words(app)
    assert len(home.registry.datasets()) == 2


def test_a_damaged_zip_is_told_when_it_is_used(home: Home, start: AppTest) -> None:
    app = given(start, [("zoo.zip", b"PK no zip")])
    assert not app.error
    assert "not a whole zip archive" in words(used(app))
