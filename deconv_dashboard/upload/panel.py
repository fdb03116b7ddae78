"""The panel that uploads pictures: some files, a whole folder, or one zip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from deconv_core.errors import DeconvError
from deconv_dashboard.data.datasets import NetworkChoice
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.data.upload_limits import upload_limits
from deconv_dashboard.data.uploads import Upload
from deconv_dashboard.frame.address import target, visit
from deconv_dashboard.frame.data_tables import data_table
from deconv_dashboard.frame.shell import escape
from deconv_dashboard.frame.troubles import keep_trouble, say_kept_trouble
from deconv_dashboard.upload.code_pages import CODE_PAGES
from deconv_dashboard.upload.unpacking import look_into_zip, store_files, store_zip
from deconv_dashboard.upload.zip_names import ZipNames
from deconv_dashboard.wording import counted, file_size

_WAYS = {"files": "Pictures or a zip", "folder": "A whole folder"}
_SHOWN = 8
"""Number of names shown beside the choice of a code page."""


def upload_panel(registry: Registry, network: NetworkChoice) -> None:
    """Draw the uploader; an upload becomes a new dataset, and the page chooses it."""
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
        f"Up to {largest:,} MB. Folders become labels. A zip is faster than many files. The "
        "pictures stay on the computer that runs this app.",
        accept_multiple_files="directory" if way == "folder" else True,
        max_upload_size=largest,
        key=f"upload {way} {round_}",
    )
    say_kept_trouble("upload_error", "upload")
    owner, passed_over = st.session_state.get("upload_passed_over", ("", []))
    if passed_over and owner == target().get("dataset"):
        _say_passed_over(passed_over)
    if not files:
        return
    size = sum(file.size for file in files)
    given = [(file.name, cast("BinaryIO", file)) for file in files]
    encoding = _encoding(given, largest, f"code_page {files[0].file_id}")
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Use this upload", key="use_upload", type="primary", icon=":material/check:"):
            _take(registry, given, largest, encoding)
        st.caption(
            f"{counted(len(files), 'file')}, {file_size(size)}. The pictures are copied into the "
            f"data folder. Then you can scan them with {network.name}."
        )


def _encoding(files: Sequence[tuple[str, BinaryIO]], largest: int, key: str) -> str | None:
    """The code page of a zip's names: a guess that a person can change; None if not needed."""
    if not _is_zip(files):
        return None
    (name, archive), *_ = files
    try:
        limits = upload_limits(largest)
        guess = look_into_zip(archive, name, limits)
        if not guess.encoding:
            return None
        chosen = st.selectbox(
            "Names in this zip are read as",
            guess.choices,
            index=guess.choices.index(guess.encoding),
            format_func=CODE_PAGES.__getitem__,
            key=key,
            help="The zip does not say which code page its names have. If the names below look "
            "wrong, choose another code page. Folder names become labels.",
            width=420,
        )
        read = guess if chosen == guess.encoding else look_into_zip(archive, name, limits, chosen)
    except DeconvError:
        return None  # the button "Use this upload" shows the error
    guessed = "A guess. " if chosen == guess.encoding != "utf-8" else ""
    st.caption(f"{guessed}Names: {_some_names(read)}")
    return chosen


def _some_names(read: ZipNames) -> str:
    """A few of the names that depend on the code page."""
    unsure = [read.names[place] for place in read.unsure]
    shown = " · ".join(escape(name[-60:]) for name in unsure[:_SHOWN])
    more = len(unsure) - _SHOWN
    return shown + (f" · and {counted(more, 'more name')}" if more > 0 else "")


def _take(
    registry: Registry, files: Sequence[tuple[str, BinaryIO]], largest: int, encoding: str | None
) -> None:
    """Store an upload, choose it, and empty the uploader."""
    try:
        with st.spinner("Checking and storing the upload"):
            upload = _store(registry, files, largest, encoding)
    except DeconvError as error:
        keep_trouble("upload_error", error)
    else:
        visit("start", dataset=upload.dataset.dataset_id, label=None)
        passed_over = [(skipped.name, skipped.reason) for skipped in upload.passed_over]
        st.session_state["upload_passed_over"] = (upload.dataset.dataset_id, passed_over)
        st.session_state["upload_round"] += 1
    st.rerun()


def _store(
    registry: Registry, files: Sequence[tuple[str, BinaryIO]], largest: int, encoding: str | None
) -> Upload:
    limits = upload_limits(largest)
    if _is_zip(files):
        bar = st.progress(0.0, "Unpacking")
        (name, archive), *_ = files
        return store_zip(
            *(registry, archive, name),
            progress=lambda done, total: _move(bar, done, total),
            limits=limits,
            encoding=encoding,
        )
    if all(_named_zip(name) for name, _ in files):
        raise DeconvError("give one zip at a time; remove the others")
    folder, slash, _ = files[0][0].partition("/")
    name = folder if slash else f"{counted(len(files), 'uploaded picture')}"
    return store_files(registry, files, name, limits)


def _is_zip(files: Sequence[tuple[str, BinaryIO]]) -> bool:
    """True for a single zip; a zip among other files is skipped like other archives."""
    return len(files) == 1 and _named_zip(files[0][0])


def _named_zip(name: str) -> bool:
    return Path(name).suffix.lower() == ".zip"


def _move(bar: DeltaGenerator, done: int, total: int) -> None:
    bar.progress(done / total, "Unpacking")


def _say_passed_over(passed_over: Sequence[tuple[str, str]]) -> None:
    title = f"{counted(len(passed_over), 'file')} of the upload left out"
    with st.expander(title, icon=":material/info:"):
        rows = {
            "File": [f for f, _ in passed_over],
            "Reason": [reason for _, reason in passed_over],
        }
        data_table(rows, "left-out", "upload_left_out")
