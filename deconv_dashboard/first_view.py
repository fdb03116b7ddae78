"""What a browser shows first: the command ``deconvnet`` tells it to the server it starts."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from urllib.parse import parse_qsl, urlencode

_VARIABLE = "DECONV_FIRST_VIEW"


@dataclass(frozen=True, slots=True)
class FirstView:
    """The first page of a server, and the folder that it offers to scan.

    Attributes:
        network: id of the network; "" shows the demo network.
        dataset: id of the dataset; "" shows the demo.
        folder: the folder of images in the field of Start; "" leaves it empty. It never becomes
            part of an address.
    """

    network: str = ""
    dataset: str = ""
    folder: str = ""

    @property
    def query(self) -> str:
        """The query of the first page's address: "?network=vgg19"; "" for the demo."""
        named = {"network": self.network, "dataset": self.dataset}
        given = urlencode({name: text for name, text in named.items() if text})
        return f"?{given}" if given else ""


def first_view() -> FirstView:
    """The first view of this server."""
    told = os.environ.get(_VARIABLE, "")
    return FirstView(**dict(parse_qsl(told, errors="surrogateescape")))


def tell_server(view: FirstView) -> None:
    """Set the first view of the server that this process will become."""
    os.environ[_VARIABLE] = urlencode(asdict(view), errors="surrogateescape")
