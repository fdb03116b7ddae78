"""The form that adds a weight file; it asks for the preprocessing if the file leaves it unclear."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

import deconv_core
from deconv_core.errors import DeconvError, PreprocessingUnclearError
from deconv_core.network.preprocessing import PREPROCESSINGS
from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.data.registry import WEIGHT_SUFFIXES, Registry
from deconv_dashboard.frame.address import visit
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.frame.troubles import say_trouble

_IMPLIED = "As the file implies"
_QUESTION = "weights_question"


@dataclass(frozen=True)
class _Question:
    """An open question: which preprocessing does a weight file expect?

    Attributes:
        path: the path as typed.
        file: name of the file.
        reasons: why the preprocessing is unclear.
        suggested: the more likely preprocessing.
    """

    path: str
    file: str
    reasons: tuple[str, ...]
    suggested: str


def add_weights(registry: Registry) -> None:
    """Draw the form for the path of a weight file, and the question about its preprocessing."""
    with st.form("add_weights", border=False):
        path, how, add = st.columns([6, 3, 2], vertical_alignment="bottom")
        typed = path.text_input(
            "Add your own weights",
            key="weights_path",
            placeholder=f"Path of a file that ends in {', '.join(WEIGHT_SUFFIXES)}",
            help="A state dict of one of torchvision's networks that the list above names, also "
            "with other classes; a network that was saved in Python with network.save; or the "
            "vgg19.npy that was converted from Caffe's weights. The program executes nothing in "
            "the file.",
        )
        preprocessing = how.selectbox(
            "Preprocessing",
            ["", *PREPROCESSINGS],
            format_func=_label,
            key="weights_preprocessing",
            help="The preprocessing that the weights were trained with. With a different one, "
            "every picture and number is wrong. If the file leaves it unclear, the page asks you.",
        )
        pressed = add.form_submit_button(
            "Add", key="weights_add", icon=":material/add:", width="stretch"
        )
    if pressed:
        st.session_state.pop(_QUESTION, None)
        if typed.strip():
            _add(registry, typed, preprocessing or None)
    if (question := st.session_state.get(_QUESTION)) is not None:
        _ask(registry, question)


def _label(name: str) -> str:
    return f"{name} ({PREPROCESSINGS[name].words})" if name else _IMPLIED


def _ask(registry: Registry, question: _Question) -> None:
    """Draw the question; the file is not used before it is answered."""
    others = [name for name in PREPROCESSINGS if name != question.suggested]
    with st.container(border=True, key="weights_question_panel"):
        st.warning(
            f"**Which preprocessing does {escape(question.file)} expect?** Its layers have the "
            f"names of torchvision's weights, but {escape('; '.join(question.reasons))}. With the "
            "wrong one, every picture and number is wrong, and no error message says so.",
            icon=":material/help:",
        )
        answer = st.radio(
            "Preprocessing",
            [question.suggested, *others],
            index=None,
            format_func=lambda name: (
                f"{_label(name)}: suggested" if name == question.suggested else _label(name)
            ),
            key="weights_answer",
            label_visibility="collapsed",
        )
        with st.container(horizontal=True):
            if st.button(
                "Add with this preprocessing",
                key="weights_answered",
                type="primary",
                disabled=answer is None,
            ):
                _add(registry, question.path, answer)
            if st.button("Do not add it", key="weights_dropped"):
                st.session_state.pop(_QUESTION, None)
                st.rerun()


def _add(registry: Registry, typed: str, preprocessing: str | None) -> None:
    """Add a weight file and choose it; or show the error; or open the question."""
    try:
        network = _checked(registry, typed, preprocessing)
    except PreprocessingUnclearError as error:
        question = _Question(typed, error.file, error.reasons, error.suggested)
        st.session_state[_QUESTION] = question
        st.session_state.pop("weights_answer", None)
    except DeconvError as error:
        say_trouble(error, "add_weights")
    else:
        st.session_state.pop(_QUESTION, None)
        visit("start", network=network.network_id)
        st.rerun()


def _checked(registry: Registry, path: str, preprocessing: str | None) -> NetworkChoice:
    """Add a weight file and load it once, so that a wrong file is refused here."""
    network = registry.add_weights(registry.rules.meant(path), preprocessing)
    try:
        with st.spinner("Reading the weights"):
            deconv_core.load_network(network.source, network.preprocessing)
    except DeconvError:
        registry.delete_network(network)
        raise
    return network
