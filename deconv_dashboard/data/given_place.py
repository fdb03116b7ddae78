"""What ``deconvnet PLACE`` shows: the scan of a folder, a folder to scan, or an index."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deconv_core.errors import DeconvError
from deconv_core.index.folder import IndexFolder
from deconv_core.index.manifest import Manifest
from deconv_core.typed_paths import file_address_path
from deconv_dashboard.data.catalogue import classifiers
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.registry import WEIGHT_SUFFIXES, Registry
from deconv_dashboard.first_view import FirstView
from deconv_dashboard.folder_rules import absolute_path
from deconv_dashboard.writing import writing


def view_of(registry: Registry, place: str, network: str | None = None) -> FirstView:
    """The first view for a place; registers what it needs in the data folder.

    Args:
        registry: the data folder.
        place: a folder of images, or an index.
        network: name or weight file of the network; None takes that of the scan, else the demo's.

    Raises:
        DeconvError: the place or the network cannot be opened.
    """
    if file_address_path(place) is None and "://" in place:
        raise DeconvError(
            f"{place} is an address, and the dashboard opens folders of this computer; "
            "`deconvnet scan` and `deconvnet top` can read it"
        )
    path = absolute_path(file_address_path(place) or place)
    if IndexFolder(path).has_own_manifest():
        dataset, used = add_index(registry, path, network)
        return FirstView(used.network_id, dataset.dataset_id)
    registry.check_folder(path)
    wanted = None if network is None else network_named(registry, network)
    scan = _newest_scan(registry, path, wanted)
    if scan is None:
        return FirstView(network=wanted.network_id if wanted else "", folder=str(path))
    return FirstView(scan[1], scan[0].dataset_id)


def network_named(
    registry: Registry, source: str, preprocessing: str | None = None
) -> NetworkChoice:
    """The network that a source of ``load_network`` names; a new one is registered.

    Raises:
        DeconvError: it is neither a known name nor a weight file that may be opened.
    """
    for network in registry.networks():
        if network.source == source and not network.is_file:
            return network
    name, _, weights = source.partition(":")
    if name in classifiers() and weights in ("", "random"):
        return registry.add_classifier(name, at_random=weights == "random")
    if not os.path.lexists(source) and Path(source).suffix.lower() not in WEIGHT_SUFFIXES:
        raise DeconvError(
            f"the network {source!a} is not known; give demo, random, the name of a classifier "
            "(vgg19, resnet50, resnet50:random), or a weight file"
        )
    return registry.add_weights(source, preprocessing)


def add_index(
    registry: Registry, place: Path, network: str | None = None
) -> tuple[Dataset, NetworkChoice]:
    """Register the images and the network of an index, and link to the index.

    Where the system allows no link, the index is copied. The images may have moved: the dashboard
    asks for their new place.

    Raises:
        DeconvError: the index cannot be read, its images or network cannot be opened, or the data
            folder has another scan of these images by this network.
    """
    folder = IndexFolder(place)
    manifest = folder.read_manifest()
    root = folder.image_root(manifest)
    if not isinstance(root, Path):
        raise DeconvError(
            f"the images of this index are at {root}; the dashboard opens folders of this computer"
        )
    used = _network_of(registry, manifest, network)
    dataset = registry.add_folder(
        root,
        extensions=manifest.extensions,
        labels=manifest.labels,
        resize=manifest.resize,
        follow_links=manifest.follow_links,
        value_range=manifest.value_range,
        may_be_missing=True,
    )
    _link(registry, dataset, used, place.resolve())
    return dataset, used


def _network_of(registry: Registry, manifest: Manifest, given: str | None) -> NetworkChoice:
    try:
        return network_named(registry, given or manifest.network, manifest.preprocessing)
    except DeconvError as error:
        if given:
            raise
        raise DeconvError(
            f"the network of this index, {manifest.network!a}, is not here",
            "give its weight file with --network",
        ) from error


def _newest_scan(
    registry: Registry, root: Path, network: NetworkChoice | None
) -> tuple[Dataset, str] | None:
    """The newest dataset of this folder with a scan, and the network's id; None without one."""
    for dataset in registry.datasets():
        if dataset.kind == "folder" and dataset.root.resolve() == root.resolve():
            scans = registry.index_paths(dataset)
            if network is not None:
                scans = {one: path for one, path in scans.items() if one == network.network_id}
            if scans:
                return dataset, max(scans, key=lambda one: _changed(scans[one]))
    return None


def _changed(index: Path) -> float:
    try:
        return (index / "manifest.json").stat().st_mtime
    except OSError:  # a scan that waits
        return 0.0


@writing("the index was not added")
def _link(registry: Registry, dataset: Dataset, network: NetworkChoice, place: Path) -> None:
    path = registry.index_path(dataset, network)
    if path.resolve() == place:
        return
    if os.path.lexists(path) and not path.is_symlink():
        raise DeconvError(
            "the data folder has its own scan of these images by this network; "
            f"`deconvnet {dataset.root}` shows it, and Start can delete it (tab Datasets and scans)"
        )
    with registry.jobs.unused(dataset=dataset.dataset_id, network=network.network_id):
        path.unlink(missing_ok=True)  # a link to another index
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.symlink_to(place, target_is_directory=True)
        except OSError:  # Windows, without the right to make links
            shutil.copytree(place, path)
