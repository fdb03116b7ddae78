"""Measures how often the guess of a zip's code page is right, with names in sixteen languages."""

import pytest

from deconv_dashboard.upload.code_pages import CODE_PAGES, guess_code_page, reads
from tests.app.names import NAMES, names_in


def read_as_guessed(names: list[str], page: str) -> list[str]:
    raw = [name.encode(page) for name in names]
    guess = guess_code_page(raw)
    return [name.decode(guess) for name in raw]


@pytest.mark.parametrize("language", NAMES)
def test_ten_names_are_read_as_they_were_written(language: str) -> None:
    page, names = names_in(language)
    for start in range(0, max(1, len(names) - 9), 3):
        assert read_as_guessed(names[start : start + 10], page) == names[start : start + 10]


def test_three_names_are_nearly_always_read_right() -> None:
    right, tried = 0, 0
    for language in NAMES:
        page, names = names_in(language)
        for start in range(len(names) - 2):
            three = names[start : start + 3]
            right, tried = right + (read_as_guessed(three, page) == three), tried + 1
    assert tried > 500
    assert right / tried > 0.97


def test_one_short_name_is_mostly_read_right() -> None:
    right, tried = 0, 0
    for language in NAMES:
        page, names = names_in(language)
        for name in names:
            right, tried = right + (read_as_guessed([name], page) == [name]), tried + 1
    assert tried > 600
    assert right / tried > 0.91


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("猫/写真 表.png", "cp932"),
        ("犬/ソ.png", "cp932"),
        ("猫/副本.png", "gbk"),
        ("狗/朗读.png", "gbk"),
        ("Bär/Köln (1).png", "cp850"),
        ("Hund/größe.png", "cp850"),
        ("кот/фото.png", "cp866"),
        ("пёс/ёж.png", "cp866"),
        ("한국어/시험.png", "cp949"),
        ("élève.png", "cp850"),
    ],
)
def test_a_single_name(name: str, page: str) -> None:
    assert read_as_guessed([name], page) == [name]


def test_a_code_page_that_cannot_read_all_names_is_no_guess() -> None:
    names = [b"\x94L.png", b"\x81 .png"]
    assert not reads("cp932", names)
    assert reads(guess_code_page(names), names)


def test_every_code_page_is_known_to_python_and_named_once() -> None:
    assert len(set(CODE_PAGES.values())) == len(CODE_PAGES)
    for page in CODE_PAGES:
        assert "a.png".encode(page) == b"a.png"


def test_twenty_thousand_names_with_rare_letters_end_soon_with_a_guess() -> None:
    names = [f"{chr(0x4E00 + n % 20_000)}{n}.png".encode("gbk") for n in range(20_000)]
    assert guess_code_page(names) == "gbk"
