"""Uploading pictures: some files, a whole folder, or one zip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.address import target, visit
from dashboard.registry import NetworkChoice, Registry
from dashboard.serving import told
from dashboard.shell import escape
from dashboard.upload_limits import upload_limits
from dashboard.uploads import Upload, store_files, store_zip
from dashboard.wording import counted, file_size
from deconv_core.errors import DeconvError

_WAYS = {"files": "Pictures or a zip", "folder": "A whole folder"}


def upload_panel(registry: Registry, network: NetworkChoice) -> None:
    """Draw the uploader; what arrives becomes a dataset of its own and is chosen."""
    way = st.radio(
        "What to upload",
        list(_WAYS),
        format_func=_WAYS.__getitem__,
        horizontal=True,
        key="upload_way",
        label_visibility="collapsed",
    )
    largest = int(st.get_option("server.maxUploadSize"))
    round_ = st.session_state.setdefault("upload_round", 0)
    files = st.file_uploader(
        f"Up to {largest:,} MB. Folders become labels. Nothing leaves the computer this app runs "
        "on.",
        accept_multiple_files="directory" if way == "folder" else True,
        max_upload_size=largest,
        key=f"upload {way} {round_}",
    )
    if message := st.session_state.pop("upload_error", ""):
        st.error(message, icon=":material/error:")
    owner, passed_over = st.session_state.get("upload_passed_over", ("", []))
    if passed_over and owner == target().get("dataset"):
        _say_passed_over(passed_over)
    if not files:
        return
    size = sum(file.size for file in files)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Use this upload", key="use_upload", type="primary", icon=":material/check:"):
            _take(registry, [(file.name, cast("BinaryIO", file)) for file in files], largest)
        st.caption(
            f"{counted(len(files), 'file')}, {file_size(size)}; the pictures are copied into the "
            f"data folder, then they can be scanned with {network.name}."
        )


def _take(registry: Registry, files: Sequence[tuple[str, BinaryIO]], largest: int) -> None:
    """Store an upload, choose it, and empty the uploader."""
    try:
        with st.spinner("Checking and storing the upload"):
            upload = _store(registry, files, largest)
    except DeconvError as error:
        message = told(error)
        st.session_state["upload_error"] = escape(f"{message[:1].upper()}{message[1:]}.")
    else:
        visit("start", dataset=upload.dataset.dataset_id, label=None)
        passed_over = [(skipped.name, skipped.reason) for skipped in upload.passed_over]
        st.session_state["upload_passed_over"] = (upload.dataset.dataset_id, passed_over)
        st.session_state["upload_round"] += 1
    st.rerun()


def _store(registry: Registry, files: Sequence[tuple[str, BinaryIO]], largest: int) -> Upload:
    limits = upload_limits(largest)
    zips = [file for file in files if Path(file[0]).suffix.lower() == ".zip"]
    if zips and len(files) > 1:
        raise DeconvError("give one zip alone, or pictures without a zip; remove the others")
    if zips:
        bar = st.progress(0.0, "Unpacking")
        return store_zip(
            registry, zips[0][1], zips[0][0], lambda done, total: _move(bar, done, total), limits
        )
    folder, slash, _ = files[0][0].partition("/")
    name = folder if slash else f"{counted(len(files), 'uploaded picture')}"
    return store_files(registry, files, name, limits)


def _move(bar: DeltaGenerator, done: int, total: int) -> None:
    bar.progress(done / total, "Unpacking")


def _say_passed_over(passed_over: Sequence[tuple[str, str]]) -> None:
    title = f"{counted(len(passed_over), 'file')} of the upload left out"
    with st.expander(title, icon=":material/info:"):
        rows = {
            "File": [f for f, _ in passed_over],
            "Reason": [reason for _, reason in passed_over],
        }
        st.dataframe(rows, hide_index=True)
