"""Every parameter of every page's address with wrong values, HTML, Markdown, paths, long texts."""

import re

import pytest

from tests.app.conftest import Home, OpenPage, words

VALUES = {
    "nothing": "",
    "nonsense": "nonsense",
    "HTML": "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "a picture elsewhere": "![x](https://evil.example/x.png)",
    "a link": "[click](javascript:alert(1)) [x]: //evil.example",
    "Markdown": "**b** # h\n\n- l `c` $m$ :red[r] :material/home: ~~s~~ |t|",
    "an address by itself": "https://evil.example www.evil.example a@evil.example",
    "5,000 letters": "A" * 5000,
    "5,000 digits": "9" * 5000,
    "a number too large": "4294967296",
    "less than nothing": "-1",
    "a fraction": "1e2",
    "digits that are no number": "\u00b2\u0663",
    "a path": "../../../../etc/passwd",
    "a path of Windows": "..\\..\\C:\\Windows\\win.ini",
    "a zero": "\x00",
    "lines": "a\r\nb\n\n# c",
    "text from right to left": "\u202egnp.exe\u2066",
    "a template": "{{7*7}} ${7*7} %s %n {0.__class__}",
    "a query": "x' OR 1=1; --&map=3#fragment",
}
SHOWN = ("network", "dataset")
OTHERS = (
    *("layer", "map", "label", "label2", "map2", "network2"),
    *("scale", "k", "image", "position", "list", "rank"),
)
_KINDS = ("markdown", "caption", "info", "warning", "error", "success", "subheader", "title")


def raw(page: object) -> str:
    """Everything that the page hands to the browser's Markdown."""
    return "\n".join(str(part.value) for kind in _KINDS for part in page.get(kind))  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", ["layer", "feature_map", "image"])
def test_nonsense_in_the_address_is_answered_in_words(
    open_page: OpenPage, home: Home, page: str
) -> None:
    for kind, value in VALUES.items():
        try:
            check_words(open_page, home, page, value)
        except AssertionError as error:
            error.add_note(kind)
            raise


def check_words(open_page: OpenPage, home: Home, page: str, value: str) -> None:
    for names in (OTHERS, SHOWN) if page == "feature_map" else (OTHERS,):
        app = open_page(page, **dict.fromkeys(names, value))  # fails on any exception
        said = raw(app)
        assert "<img" not in said.replace("\\<img", "")
        assert "<script" not in said.replace("\\<script", "")
        assert not re.search(r"(?<!\\)\]\(?[^)]*evil|(?<!\\)\(javascript", said)
        assert not re.search(r"https?:/|www\.e|(?<!\\)@evil", said), "it would become a link"
        assert "A" * 100 not in said
        assert str(home.registry.home) not in words(app)


@pytest.mark.parametrize("layer", ["", "conv5_4"])
def test_a_map_without_a_layer_and_an_index(open_page: OpenPage, layer: str) -> None:
    for value in ("9" * 5000, "\u00b2", "-1", "", "10000"):
        open_page("image", network="demo", map=value, layer=layer, position=f"{value},{value}")
