"""Keys of widgets whose value a page also changes by itself.

A browser sends the values of all its widgets with every press of a button and every update of a
fragment. While the browser is behind, these are the values from before the last change. Streamlit
takes them for a choice of the person, which would undo that change. So a widget whose value changes
from elsewhere gets another key: it is a new widget, and values of the old one count no more. A
widget that the person changes keeps its key, and with it the focus.

Another page has other widgets, also under the same keys. Their value is set once more there: the
value that Streamlit still has under the key is that of the page before, and the browser shows the
first choice in its place.
"""

from __future__ import annotations

import streamlit as st


def widget_key(name: str) -> str:
    """The key now: the name, and a number once the value was changed from elsewhere."""
    number = st.session_state.get(f"{name}_changes", 0)
    return f"{name} {number}" if number else name


def renew(name: str) -> None:
    """Replace the widget by one that nothing was chosen in; call it in a callback."""
    st.session_state[f"{name}_changes"] = st.session_state.get(f"{name}_changes", 0) + 1


def set_widget(name: str, value: object) -> None:
    """Change the value from elsewhere; call it before the widget is drawn, or in a callback."""
    renew(name)
    st.session_state[widget_key(name)] = value


def key_showing(name: str, value: object, text: str = "") -> str:
    """The key of a widget that shows this value; call it right before the widget is drawn.

    Args:
        name: name of the widget.
        value: the value.
        text: how the widget writes it, if that can change: a browser sends texts, and the old one
            would be taken for a choice of something that does not exist.
    """
    drawn = st.session_state.get("address_page"), value, text
    before = st.session_state.get(f"{name}_drawn", drawn)
    st.session_state[f"{name}_drawn"] = drawn
    if before[1] == value and before[2] != text:
        renew(name)
    key = widget_key(name)
    if before[0] != drawn[0] or key not in st.session_state:
        st.session_state[key] = value
    elif st.session_state[key] != value:
        set_widget(name, value)
    return widget_key(name)
