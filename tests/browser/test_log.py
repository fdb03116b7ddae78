"""Which exceptions in a server's log are the dashboard's own."""

import traceback
from pathlib import Path

import pytest

from tests.browser.server import ROOT, tracebacks_of_ours


def logged(path: Path) -> str:
    """What the server logs about an exception in a file."""
    try:
        exec(compile("1 / 0", str(path), "exec"))
    except ZeroDivisionError:
        return f"2026-01-01 Uncaught exception\n{traceback.format_exc()}next line\n"
    raise AssertionError


@pytest.mark.parametrize(
    "name",
    [
        "app.py",
        "pages/1_layer.py",
        "deconv_dashboard/frame/shell.py",
        "deconv_core/images/folder.py",
    ],
)
def test_ours(name: str) -> None:
    (found,) = tracebacks_of_ours(logged(Path("/usr/lib/server.py")) + logged(ROOT / name))
    assert found.endswith("ZeroDivisionError: division by zero")
    assert name in found


def test_the_servers() -> None:
    own = logged(Path("/usr/lib/server.py")) + logged(ROOT / ".venv/lib/streamlit/dashboard/x.py")
    assert tracebacks_of_ours(own) == []
    assert tracebacks_of_ours("a line\n") == []


def test_ours_that_led_to_one_of_the_servers() -> None:
    words = "\nDuring handling of the above exception, another exception occurred:\n\n"
    own = traceback.format_exception(RuntimeError("something else"))
    assert len(tracebacks_of_ours(logged(ROOT / "app.py") + words + "".join(own))) == 1
