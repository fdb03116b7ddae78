"""What made an index: network, preprocessing, compute path, layers, folder of images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

from deconv_core.index import limits as index_limits
from deconv_core.index.typed_json import from_json
from deconv_core.layers import Layer

FORMAT_VERSION = 3
"""The one format that is written and read."""


@dataclass(frozen=True, slots=True)
class ComputePath:
    """Everything that decides the bits of a scan; fixed by the first block.

    ``error_bounds`` holds, for a scan that is not float32, the largest absolute difference from
    float32 seen on a sample, for each layer, in activation units. ``bits`` stands for what the
    first computer made of a test batch (``engine.hash_of_results``), "" where nobody asked.
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
    """What made an index.

    ``extensions``, ``labels`` and ``follow_links`` say which files of the folder were taken (None:
    none were left out); ``resize``, ``value_range`` and ``decoding`` (``DECODING`` of then) how
    files became pixels. ``passed_over`` counts, by kind, what was not taken when files were listed.
    ``preprocessing_reason`` says in words why that preprocessing was taken.
    ``summary`` is the version of the summary that belongs to the images of a finished index.
    ``key`` is the same in every file of the index and differs from that of an index of other
    images, or made in another way.
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
    def making(self) -> str:
        """16 hexadecimal digits that stand for what decides the bits of a block."""
        compute = {
            k: v for k, v in asdict(self.compute).items() if k not in ("error_bounds", "bits")
        }
        reading = [self.resize, self.value_range, self.decoding]
        return digest([self.fingerprint, self.preprocessing, reading, compute])

    def keyed(self, image_ids: Iterable[str]) -> Manifest:
        """This manifest with the key of an index that begins with these images."""
        return replace(self, key=digest([self.making, self.block_size, list(image_ids)]))


def digest(content: object) -> str:
    """16 hexadecimal digits of plain data."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


_NAMES = {"format_version", "fingerprint", "layers", "network"}


def is_manifest(content: object) -> bool:
    """True if plain data shows that it is a manifest, of any format and maybe damaged."""
    return isinstance(content, dict) and len(_NAMES & content.keys()) >= 2


def is_of_another_program(content: object) -> bool:
    """True if plain data says something, and nothing that a manifest says."""
    return isinstance(content, dict) and bool(content) and not _NAMES & content.keys()


def manifest_of(content: object) -> Manifest:
    """A manifest from plain data.

    Raises:
        ValueError: it is none, or claims what no index can be.
    """
    manifest = from_json(Manifest, content)
    index_limits.check_layers(manifest.layers)
    index_limits.check_settings(manifest.summary, manifest.image_root, manifest.block_size)
    index_limits.check_reading(manifest.resize, manifest.value_range)
    texts = [manifest.decoding, manifest.preprocessing_reason, *manifest.passed_over]
    index_limits.check_texts([*texts, *(manifest.extensions or ()), *(manifest.labels or ())])
    return manifest
