"""Which feature maps of a layer an image activates more than most images do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from deconv_core.errors import DeconvError
from deconv_core.index.layer_values import LayerValues
from deconv_core.statistics import bands


def percentile_table(measured: LayerValues, peaks: npt.NDArray[np.float32]) -> pd.DataFrame:
    """The percentile of one peak of each map; see ``ActivationIndex.percentiles``."""
    if len(peaks) != len(measured.channels):
        raise DeconvError(
            f"image holds {len(peaks)} values, but {measured.layer} has {len(measured.channels)} "
            "feature maps"
        )
    shares = bands.shares_below(measured.values, peaks)
    return pd.DataFrame({"channel": measured.channels, "value": peaks, "percentile": shares})


def peaks_in(measured: LayerValues, image_id: str) -> npt.NDArray[np.float32]:
    """The peak of each map in one of the images.

    Raises:
        DeconvError: the image is not among them, because it cannot be read.
    """
    here = np.flatnonzero(measured.image_ids == image_id)
    if not len(here):
        raise DeconvError(f"{image_id!r} cannot be read, so it has no peaks")
    found: npt.NDArray[np.float32] = measured.values[:, here[0]]
    return found
