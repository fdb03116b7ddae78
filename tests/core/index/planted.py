"""An index of one layer whose peaks are given, as a finished scan would write it."""

from pathlib import Path

import numpy as np
import pandas as pd

from deconv_core.images.decoding import DECODING
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.blocks import ImageRow
from deconv_core.index.folder import IndexFolder
from deconv_core.index.manifest import ComputePath, Manifest
from deconv_core.layers import Layer, ReceptiveField
from deconv_core.peaks import Peaks
from deconv_core.units import label_of

LAYER = "conv"


def planted_index(path: Path, values: np.ndarray, image_ids: list[str]) -> ActivationIndex:
    """Write an index with the peaks (C, N) of the images, all at row 1, column 2."""
    layer = Layer(LAYER, len(values), 14, 14, ReceptiveField(16, 16, 0))
    folder, manifest = IndexFolder(path), _manifest(layer)
    path.mkdir(parents=True)
    count = len(image_ids)
    hashes = [f"{n:064x}" for n in range(count)]
    labels = [label_of(image_id) for image_id in image_ids]
    rows = [ImageRow(n, image_ids[n], labels[n], 224, 224, "", hashes[n]) for n in range(count)]
    place = np.ones((count, len(values)), np.uint8)
    peaks = Peaks(np.ascontiguousarray(values.T, np.float32), place, place + 1)
    folder.write_block(folder.block_file(0), rows, manifest, {LAYER: peaks}.__getitem__)
    plan = pd.DataFrame({"image_id": image_ids, "label": labels, "block": 0, "removed": False})
    plan = plan.assign(width=224, height=224, error="", note="", content_hash=hashes)
    folder.write_plan(plan, manifest)
    folder.write_manifest(manifest)
    return ActivationIndex.open(path)


def _manifest(layer: Layer) -> Manifest:
    return Manifest(
        network="random",
        fingerprint="0" * 16,
        preprocessing="torchvision",
        architecture="VGG19",
        layers=(layer,),
        image_root="/none",
        extensions=None,
        labels=None,
        follow_links=False,
        resize="stretch",
        value_range="type",
        decoding=DECODING,
        compute=ComputePath("float32", "channels_last", "cpu", False, 8, "0"),
        block_size=256,
    )
