"""Makes the manifest of a new index, and compares a scan with the manifest of an old one."""

from __future__ import annotations

from dataclasses import replace

from deconv_core.errors import ANEW, IndexMismatchError
from deconv_core.images.decoding import DECODING
from deconv_core.images.passed_over import fewer_kinds
from deconv_core.index.manifest import Manifest
from deconv_core.scanning.compute import torch_version
from deconv_core.scanning.run import ScanRun

BLOCK_SIZE = 32


def new_manifest(run: ScanRun) -> Manifest:
    """The manifest of a new index."""
    network, images = run.network, run.images
    manifest = Manifest(
        network=network.source,
        fingerprint=network.fingerprint,
        preprocessing=network.preprocessing.name,
        preprocessing_reason=network.preprocessing_reason,
        architecture=network.architecture,
        layers=tuple(network.layers.values()),
        image_root=str(images.root),
        extensions=images.extensions,
        labels=images.wanted_labels,
        follow_links=images.follow_links,
        passed_over=fewer_kinds(images.passed_over),
        resize=images.resize,
        value_range=images.value_range,
        decoding=DECODING,
        compute=run.engine.compute_path(network, images, run.precision),
        block_size=run.block_size or BLOCK_SIZE,
    )
    return manifest.with_key(entry.image_id for entry in images)


def check_same_settings(run: ScanRun, manifest: Manifest) -> None:
    """Check that a scan has all the settings of an index that affect stored values.

    Raises:
        IndexMismatchError: a setting differs.
    """
    compute, images = manifest.compute, run.images
    if manifest.decoding != DECODING:
        raise IndexMismatchError(
            "this index was made by another version of this program, which decoded image files "
            f"differently (decoding {manifest.decoding}; now it is {DECODING})",
            ANEW,
        )
    precision = compute.precision if run.precision == "auto" else run.precision
    device = compute.device if run.device == "auto" else run.device
    compared = [
        ("network", manifest.fingerprint, run.network.fingerprint),
        ("preprocessing", manifest.preprocessing, run.network.preprocessing.name),
        ("resizing", manifest.resize, images.resize),
        ("value range", manifest.value_range, images.value_range),
        ("precision", compute.precision, precision),
        ("device", compute.device, device),
        ("block size", manifest.block_size, run.block_size or manifest.block_size),
        ("torch version", compute.torch_version, torch_version()),
    ]
    for what, made, given in compared:
        if made != given:
            raise IndexMismatchError(
                f"this index was made from network {manifest.network!r} with {what} {made}; now it "
                f"is {given}",
                f"use the same {what}",
                ANEW,
            )


def with_current_listing(run: ScanRun, manifest: Manifest) -> Manifest:
    """The manifest with the current place of the images and the current choice among them."""
    images = run.images
    if run.folder.image_root(manifest) != images.root:
        manifest = replace(manifest, image_root=str(images.root))
    return replace(
        manifest,
        extensions=images.extensions,
        labels=images.wanted_labels,
        follow_links=manifest.follow_links if images.links_unsaid else images.follow_links,
        passed_over=fewer_kinds(images.passed_over),
    )
