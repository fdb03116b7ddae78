"""Tables that can be sorted and searched, each with a button that downloads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st


def data_table(
    table: pd.DataFrame | Mapping[str, Sequence[object]], name: str, key: str, **how: Any
) -> None:
    """Draw a table, and below it a button for the same as CSV.

    Streamlit's own download keeps names that are formulas to a spreadsheet; it is turned off
    (``client.disableDataExport``).

    Args:
        table: what is shown, column by column.
        name: of the file, without its ending.
        key: of the table.
        how: anything else that ``st.dataframe`` takes.
    """
    frame = pd.DataFrame(table)
    st.dataframe(frame, hide_index=True, key=key, **how)

    def content() -> bytes:
        from deconv_core.output.tables import csv_file  # loads torch

        return csv_file(frame)

    st.download_button(
        "Table as CSV",
        content,
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"{key}_csv",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )
