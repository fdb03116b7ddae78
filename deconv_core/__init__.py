"""Shows what a convolutional network's feature maps respond to, with deconvnet reconstructions.

This is the flow of the program, from top to bottom::

    ImageFolder + Network
       |  scan             one pass: the peak of every feature map in every image
    ActivationIndex
       |  .top, exact_top  the strongest activations of a layer or of one map
    list[Activation]
       |  reconstruct      the deconvnet, inside the receptive field
    list[Reconstruction]
       |  compose_grid, activation_table
    pictures and tables

Names are imported when they are first used, so a query on an index loads no torch. A module may not
have the name of something exported here, because importing the module would replace that name; so
the folder of ``scan`` is called ``scanning``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from deconv_core.version import __version__ as __version__

if TYPE_CHECKING:
    from deconv_core.errors import DeconvError
    from deconv_core.exact import exact_top
    from deconv_core.images.folder import ImageFolder
    from deconv_core.index.activation_index import ActivationIndex
    from deconv_core.network.network import Network
    from deconv_core.network.sources import load_network
    from deconv_core.output.rendering import Scale, compose_grid
    from deconv_core.output.tables import activation_table
    from deconv_core.pictures import Reconstruction
    from deconv_core.reconstruction.cache import ReconstructionCache
    from deconv_core.reconstruction.reconstruct import reconstruct
    from deconv_core.scanning.scan import scan
    from deconv_core.units import Activation, Box, Unit

_HOMES = {
    "load_network": "network.sources",
    "Network": "network.network",
    "ImageFolder": "images.folder",
    "scan": "scanning.scan",
    "ActivationIndex": "index.activation_index",
    "exact_top": "exact",
    "Unit": "units",
    "Activation": "units",
    "Box": "units",
    "reconstruct": "reconstruction.reconstruct",
    "Reconstruction": "pictures",
    "ReconstructionCache": "reconstruction.cache",
    "Scale": "output.rendering",
    "compose_grid": "output.rendering",
    "activation_table": "output.tables",
    "DeconvError": "errors",
}

__all__ = [
    "Activation",
    "ActivationIndex",
    "Box",
    "DeconvError",
    "ImageFolder",
    "Network",
    "Reconstruction",
    "ReconstructionCache",
    "Scale",
    "Unit",
    "activation_table",
    "compose_grid",
    "exact_top",
    "load_network",
    "reconstruct",
    "scan",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
