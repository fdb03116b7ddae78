"""The manifest of an index: network, preprocessing, compute path, layers, folder of images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from deconv_core.index import limits as index_limits
from deconv_core.index.typed_json import from_json
from deconv_core.layers import Layer

FORMAT_VERSION = 4
"""The format that this program writes."""
READABLE_VERSIONS = (3, FORMAT_VERSION)
"""Format 3, of networks like VGG only, does not say which layers are poolings."""


@dataclass(frozen=True, slots=True)
class ComputePath:
    """How the peaks of an index are computed: the same for all its blocks.

    Attributes:
        precision: "float32" or "bfloat16".
        memory_format: memory layout of the feature maps.
        device: "cpu", "cuda" or "mps".
        compiled: whether ``torch.compile`` is used.
        batch_size: images in a batch.
        torch_version: version of torch, without its build.
        error_bounds: for bfloat16, the largest absolute difference from float32 seen on a sample
            of images, for each layer, in units of the activation.
        bits: hash of the results of a test batch on the first computer
            (``engine.hash_of_results``); "" if it was not computed.
    """

    precision: str
    memory_format: str
    device: str
    compiled: bool
    batch_size: int
    torch_version: str
    error_bounds: dict[str, float] = field(default_factory=dict)
    bits: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The settings that an index was made with, and its state.

    Attributes:
        network: name of the network.
        fingerprint: hash of its weights and preprocessing.
        preprocessing: name of the preprocessing.
        architecture: name of the architecture.
        layers: the layers, in order.
        image_root: the folder of images.
        extensions: file name extensions of the images; None for all.
        labels: labels of the images; None for all.
        follow_links: whether links to folders were followed.
        resize: how images are resized: "stretch" or "crop".
        value_range: which range of values becomes black to white: "type" or "file".
        decoding: version of the code that decodes image files (``images.decoding.DECODING``).
        compute: the compute path.
        block_size: images in a block.
        passed_over: kind -> number of skipped files and folders.
        preprocessing_reason: why this preprocessing was chosen, in words.
        complete: True once all images are scanned.
        summary: version of the summary, of a complete index.
        format_version: version of the index format.
        key: hash of the settings and of the first list of images; every file of the index stores
            it, so that files of other indexes are detected.
    """

    network: str
    fingerprint: str
    preprocessing: str
    architecture: str
    layers: tuple[Layer, ...]
    image_root: str
    extensions: tuple[str, ...] | None
    labels: tuple[str, ...] | None
    follow_links: bool
    resize: str
    value_range: str
    decoding: str
    compute: ComputePath
    block_size: int
    passed_over: dict[str, int] = field(default_factory=dict)
    preprocessing_reason: str = ""
    complete: bool = False
    summary: str = ""
    format_version: int = FORMAT_VERSION
    key: str = ""

    @property
    def settings_hash(self) -> str:
        """Hash of all settings that affect stored values."""
        compute = {
            k: v for k, v in asdict(self.compute).items() if k not in ("error_bounds", "bits")
        }
        reading = [self.resize, self.value_range, self.decoding]
        return digest([self.fingerprint, self.preprocessing, reading, compute])

    def with_key(self, image_ids: Iterable[str]) -> Manifest:
        """This manifest with the key of a new index of these images."""
        return replace(self, key=digest([self.settings_hash, self.block_size, list(image_ids)]))


def digest(content: object) -> str:
    """Hash of JSON data: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


_NAMES = {"format_version", "fingerprint", "layers", "network"}


def is_manifest(content: object) -> bool:
    """True if JSON data is a manifest, of any format version and maybe damaged."""
    return isinstance(content, dict) and len(_NAMES & content.keys()) >= 2


def is_foreign(content: object) -> bool:
    """True if JSON data comes from another program: it has fields, but none of a manifest."""
    return isinstance(content, dict) and bool(content) and not _NAMES & content.keys()


def parse_manifest(content: object) -> Manifest:
    """Convert JSON data to a manifest, and check that its values are possible.

    Raises:
        ValueError: a field is missing, unknown, or has an impossible value.
    """
    if isinstance(content, dict) and content.get("format_version") == 3:
        content = _with_poolings(content)
    manifest = from_json(Manifest, content)
    index_limits.check_layers(manifest.layers)
    index_limits.check_settings(manifest.summary, manifest.image_root, manifest.block_size)
    index_limits.check_decoding(manifest.resize, manifest.value_range)
    texts = [manifest.decoding, manifest.preprocessing_reason, *manifest.passed_over]
    index_limits.check_texts([*texts, *(manifest.extensions or ()), *(manifest.labels or ())])
    return manifest


def _with_poolings(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a manifest of format 3, with what its layers do not say."""
    layers, below = [], ""
    for layer in content.get("layers", ()):
        name = str(layer.get("name", "")) if isinstance(layer, dict) else ""
        pools = {"is_pool": True, "pooled_from": below} if name.startswith("pool") else {}
        layers.append({**layer, **pools} if pools else layer)
        below = name
    return {**content, "layers": layers, "format_version": FORMAT_VERSION}
