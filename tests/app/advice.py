"""Finds every message of the product that tells a person what to do, in its source files."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_VERBS = (
    "add|allow|ask|bring|build|cancel|check|choose|close|convert|copy|delete|download|export|free|"
    "give|go|install|keep|leave|make|move|name|open|pack|pass|pip|put|read|remove|rename|repair|"
    "reload|restart|resume|run|save|say|scan|see|set|shorten|start|stop|take|try|turn|type|unpack|"
    "update|upload|use|wait|write"
)
_ADVICE = re.compile(
    rf"(?:^|[;:,.(]\s|\bor |\band |\bto make room, )(?:please )?(?:{_VERBS})\b(?! of)",
    re.IGNORECASE,
)
# The texts of controls do not count as messages.
_CONTROLS = (
    *("button", "form_submit_button", "download_button", "popover", "selectbox", "multiselect"),
    *("text_input", "checkbox", "radio", "toggle", "file_uploader", "segmented_control", "tabs"),
    *("page_link", "expander", "number_input", "add_argument", "add_parser", "dialog", "compile"),
    *("code", "html", "set_page_config", "_deletion", "_ask", "startswith", "replace", "partition"),
)
_TEXTS = ("help", "placeholder", "label", "description", "key", "icon", "key_", "metavar", "epilog")


@functools.cache
def trees() -> dict[str, ast.Module]:
    """The product's source files, parsed."""
    paths = [ROOT / "app.py", *(ROOT / "pages").glob("*.py")]
    for part in ("deconv_dashboard", "deconv_core"):
        paths += sorted((ROOT / part).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in paths}


@functools.cache
def messages_with_advice() -> dict[str, str]:
    """Message, with {} for what is filled in -> the file that says it."""
    found: dict[str, str] = {}
    for path, tree in trees().items():
        for text in _texts(tree):
            if " " in text and _ADVICE.search(text):
                found.setdefault(text, path)
    return found


@functools.cache
def labels() -> set[str]:
    """The texts of buttons, links and other controls of the product, with {} as above."""
    found = set()
    for path, tree in trees().items():
        for node in () if path.startswith("deconv_core/") else ast.walk(tree):
            if isinstance(node, ast.Constant | ast.JoinedStr):
                found.add(_template(node) or "")
    return found


def _texts(node: ast.AST) -> Iterator[str]:
    """The texts in a tree, without docstrings and texts of controls."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Call) and _name(node.func) in _CONTROLS:
        return
    if isinstance(node, ast.keyword) and node.arg in _TEXTS:
        return
    if (text := _template(node)) is not None:
        yield text
        return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _template(node: ast.AST) -> str | None:
    """A text with {} for the parts that are filled in; None for other nodes."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = [_template(value) for value in node.values]
        return "".join("{}" if part is None else part for part in parts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [_template(node.left), _template(node.right)]
        if any(part is not None for part in parts):
            return "".join("{}" if part is None else part for part in parts)
    return None
