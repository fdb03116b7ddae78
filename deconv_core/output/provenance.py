"""What saved pictures and tables were made from: in their names, title lines and metadata."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from PIL.PngImagePlugin import PngInfo

from deconv_core.pictures import RULE_NAMES, Rule
from deconv_core.version import __version__

PROGRAM = "deconvnet-dashboard"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a picture or a table was made from.

    Attributes:
        network: name of the network.
        fingerprint: hash of its weights and preprocessing.
        preprocessing: name of the preprocessing.
        dataset: name of the images.
        resize: "stretch" or "crop".
        input_size: height and width of the network's input in pixels.
        rule: how rectifications are undone.
    """

    network: str
    fingerprint: str
    preprocessing: str
    dataset: str
    resize: str
    input_size: tuple[int, ...]
    rule: Rule = "deconvnet"

    @property
    def resized(self) -> str:
        """For example "stretched to 224 × 224" or "centre crop, 224 × 224"."""
        size = f"{self.input_size[0]} × {self.input_size[1]}"
        return f"centre crop, {size}" if self.resize == "crop" else f"stretched to {size}"

    @property
    def line(self) -> str:
        """One line for a picture: network, images, resizing, rule, program."""
        made = f"{PROGRAM} {__version__}"
        rule = RULE_NAMES[self.rule]
        return f"{self.network} · {self.dataset}, {self.resized} · {rule} · {made}"

    @property
    def columns(self) -> dict[str, str]:
        """The columns that a saved table has besides its own."""
        made = {
            "network": self.network,
            "weights": self.fingerprint,
            "preprocessing": self.preprocessing,
            "dataset": self.dataset,
            "resize": self.resize,
            "rule": self.rule,
            "program": f"{PROGRAM} {__version__}",
        }
        # A folder's name may hold bytes that are no text.
        return {
            name: text.encode("utf-8", "backslashreplace").decode() for name, text in made.items()
        }

    def in_table(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table with these columns after its own; its own stay as they are."""
        more = {name: text for name, text in self.columns.items() if name not in table}
        return table.assign(**more)

    def png_info(self, title: str = "", second: Provenance | None = None) -> PngInfo:
        """The metadata of a saved PNG: the columns, "Software", and a title.

        What differs in a second one that the picture was also made from is named "network 2", ...
        """
        about = PngInfo()
        about.add_text("Software", PROGRAM)
        if title:
            about.add_itxt("Title", title)
        for name, text in self.columns.items():
            about.add_itxt(name, text)
        for name, text in (second or self).columns.items():
            if text != self.columns[name]:
                about.add_itxt(f"{name} 2", text)
        return about
