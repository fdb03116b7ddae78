"""Messages and tables on pages: what is missing, what changed, what went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
import streamlit as st

from deconv_core.errors import DeconvError, IndexDamagedError, IndexOutdatedError
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.dead_maps import dead_maps_sentence, layers_with_many_dead_maps
from deconv_core.output.tables import activation_table
from deconv_dashboard import bands
from deconv_dashboard.frame import address
from deconv_dashboard.frame.choice import escape
from deconv_dashboard.frame.data_tables import data_table
from deconv_dashboard.frame.moved import folder_missing, weights_missing, weights_unusable
from deconv_dashboard.frame.remedies import offer_scan
from deconv_dashboard.frame.repair import damage_note
from deconv_dashboard.jobs.scans import changes_since
from deconv_dashboard.server import index_answers, resources
from deconv_dashboard.server.told import told
from deconv_dashboard.values import Answer, Choice
from deconv_dashboard.wording import activation_text, counted

_OF_NETWORK = ("network", "weights", "preprocessing")
"""Columns of a table that differ between two networks."""


@contextmanager
def explained(choice: Choice) -> Iterator[None]:
    """Show an error that is raised inside as a message instead of a traceback."""
    try:
        yield
    except DeconvError as error:
        trouble(choice, error)


def trouble(choice: Choice, error: DeconvError) -> None:
    """Say why there are no pictures, and what helps."""
    if isinstance(error, IndexDamagedError):
        damage_note(choice, error)
        return
    if not choice.registry.ready(choice.network):
        left = "The table still shows values and locations."
        weights_missing(choice.registry, choice.network, left)
    elif not choice.dataset.root.is_dir():
        left = "The table still shows values and locations."
        folder_missing(choice.registry, choice.dataset, left)
    else:
        st.error(escape(told(error)), icon=":material/error:")
        offer_scan(choice, error, "trouble")
        weights_unusable(choice.registry, choice.network, error)
        st.page_link(
            address.PAGE_FILES["start"],
            label="Open Start",
            icon=":material/arrow_forward:",
            query_params=address.link_to(),
        )


def missing_note(choice: Choice, answers: Sequence[Answer]) -> None:
    """Say which pictures are missing and why."""
    missing: list[tuple[str, DeconvError]] = [
        (answer.activations[rank - 1].image_id, why)
        for answer in answers
        for rank, why in answer.pictures.missing.items()
    ]
    if missing:
        with st.expander(
            f"{counted(len(missing), 'image')} missing, or changed since the scan",
            icon=":material/warning:",
        ):
            for image_id, why in missing:
                st.caption(f"{escape(image_id)}: {escape(told(why))}")
            offer_scan(choice, missing[0][1], "missing")


def as_scanned(choice: Choice) -> str:
    """A note about numbers that come straight from the index; "" if they are exact."""
    return "≈ Values from the scan, in bfloat16." if choice.approximate else ""


def of_all_images(choice: Choice) -> str:
    """A note about numbers over all images: bfloat16, and every copy counts; "" for neither."""
    copies = "Every file counts here, also copies." if choice.has_copies else ""
    return " ".join(filter(None, [as_scanned(choice), copies]))


def never_fires(total: int, noun: str, within: str) -> str:
    """Says that a map fires in no image of those that can be read."""
    if not total:
        return f"No image{within} can be read, so nothing is known about this map."
    return f"Fires in none of {counted(total, noun)}{within}."


def fires_in_line(sides: Sequence[Choice]) -> None:
    """Draw one line of numbers about the map of each side, or say that it never fires."""
    lines = []
    for side in sides:
        unit, label, near = side.unit, side.label, side.approximate
        total = _images(side, label)
        of = f"{escape(side.side)}: " if side.side else ""
        within = f" with label {escape(label)}" if label else ""
        row = index_answers.maps_of(side, unit.layer, label).iloc[unit.channel]
        if row["dead"]:
            said = never_fires(total, "image", within)
            said = of + said[0].lower() + said[1:] if of else said
            st.info(said, icon=":material/block:")
            continue
        fires = f"{of}fires" if of else "Fires"
        lines.append(
            f"{fires} in {round(row['share'] * total):,} of {counted(total, 'image')}{within} · "
            f"strongest {activation_text(row['max'], approximate=near)} · mean peak "
            f"{activation_text(row['mean'], approximate=near)}"
        )
    if lines:
        copies = " · every file counts here, also copies" if sides[0].has_copies else ""
        st.caption("  \n".join(line + copies for line in lines))


def band_lines(sides: Sequence[Choice], band: str, k: int) -> None:
    """Say which part of the distribution is shown in place of the top."""
    for side in sides if band != bands.TOP else ():
        ranked = index_answers.ranked_of(side, side.unit, side.label)
        if len(ranked.firing):
            of = f"{escape(side.called)}: " if side.called else ""
            st.caption(f":material/filter_alt: {of}{bands.described(band, ranked, k)}")


def _images(choice: Choice, label: str | None) -> int:
    """The number of readable images, with a label or in all."""
    labels = choice.index.labels if choice.index else {}
    return labels.get(label, 0) if label else sum(labels.values())


def dead_maps_note(index: ActivationIndex, layer: str) -> None:
    """Say if more than a quarter of a layer's maps never fire; only after a complete scan."""
    found = [dead for dead in layers_with_many_dead_maps(index) if dead.layer == layer]
    if found and index.complete:
        st.caption(f":material/warning: {escape(dead_maps_sentence(index, found))}.")


def changed_note(choice: Choice) -> None:
    """Say if files were added or removed since the scan; compares names only."""
    try:
        names = [entry.image_id for entry in resources.images_of(choice.dataset)]
        changes = changes_since(choice.index_path, names)
    except DeconvError:
        return
    if not changes or (choice.index is not None and not choice.index.complete):
        return
    words = [
        f"{number:,} {verb}"
        for number, verb in ((changes.added, "added"), (changes.removed, "removed"))
        if number
    ]
    st.caption(f":material/sync_problem: Images changed since the scan: {', '.join(words)}.")
    offer_scan(choice, IndexOutdatedError(), "changed")


def since_the_scan(choice: Choice, image_id: str, content_hash: str) -> None:
    """Say if one image differs from the scan, and offer an update."""
    index = choice.index
    if index is None or not index.complete:
        return
    scanned = index.content_hashes([image_id])
    if scanned.get(image_id) == content_hash:
        return
    said = "was changed" if scanned else "was added"
    st.warning(
        f"This picture {said} after the scan. This page shows the current file. The other pages "
        f"{'use the old one' if scanned else 'do not know it'} until the scan is updated.",
        icon=":material/sync_problem:",
    )
    offer_scan(choice, IndexOutdatedError(), "image")


def table(
    sides: Sequence[Choice], answers: Sequence[Answer], name: str, key: str, **how: Any
) -> None:
    """Draw answers as one table: rank, image, location, value, box in pixels, copies.

    Of two networks, each row names its network.
    """
    parts = [
        activation_table(one.activations, side.layers, one.copies, one.names, one.ranks)
        for side, one in zip(sides, answers, strict=True)
    ]
    if len({side.network for side in sides}) > 1:
        parts = [
            part.assign(**{name: side.made.columns[name] for name in _OF_NETWORK})
            for side, part in zip(sides, parts, strict=True)
        ]
    listed = pd.concat(parts, ignore_index=True)
    if "name" in listed:  # perhaps of one of two maps
        listed["name"] = listed["name"].fillna("")
    data_table(
        listed.assign(rank=range(1, len(listed) + 1)),
        name,
        key,
        alt=f"Activations of {listed['layer'].iat[0]}",
        column_config={
            "value": st.column_config.NumberColumn("value", format="%.4g"),
            "percentile": st.column_config.NumberColumn("percentile", format="percent"),
        },
        **how,
    )
