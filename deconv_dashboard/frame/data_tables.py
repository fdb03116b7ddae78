"""Tables that a person can sort and search, each with a download button."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from deconv_core.output.provenance import Provenance
from deconv_core.output.tables import csv_file


def data_table(
    table: pd.DataFrame | Mapping[str, Sequence[object]],
    name: str,
    key: str,
    *,
    download: bool = True,
    made: Provenance | None = None,
    **how: Any,
) -> None:
    """Draw a table, and below it a button that downloads it as CSV.

    Streamlit's own download is turned off (``client.disableDataExport``): it does not protect
    spreadsheets from names that are formulas.

    Args:
        table: the columns.
        name: name of the file, without ``.csv``.
        key: key of the table.
        download: False leaves the button out.
        made: what the numbers were made from: more columns of the downloaded table.
        how: other arguments of ``st.dataframe``.
    """
    frame = pd.DataFrame(table)
    st.dataframe(frame, hide_index=True, key=key, **how)
    if not download:
        return
    st.download_button(
        "Table as CSV",
        lambda: csv_file(frame if made is None else made.in_table(frame)),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"{key}_csv",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )
