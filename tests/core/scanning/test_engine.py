"""What decides the bits of a scan, and the parts of the Ray engine that need no Ray."""

import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from deconv_core.errors import DeconvError, IndexMismatchError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.folder import IndexFolder
from deconv_core.network.network import Network
from deconv_core.scanning.compute import ScanNetwork, choose_compute
from deconv_core.scanning.engine import hash_of_results
from deconv_core.scanning.ray_engine import RayEngine
from deconv_core.scanning.scan import scan


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_bits_do_not_depend_on_the_number_of_threads(
    network: Network, images: ImageFolder, precision: str
) -> None:
    prepared = ScanNetwork.prepare(network, choose_compute(network, images, precision))
    threads = torch.get_num_threads()
    try:
        found = set()
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.add(hash_of_results(prepared))
    finally:
        torch.set_num_threads(threads)
    assert len(found) == 1


def test_bits_tell_precisions_and_networks_apart(
    network: Network, full_width: Network, images: ImageFolder
) -> None:
    wide = choose_compute(network, images, "float32")
    narrow = replace(wide, precision="bfloat16")
    pairs = ((network, wide), (network, narrow), (full_width, replace(wide, batch_size=1)))
    assert len({hash_of_results(ScanNetwork.prepare(*pair)) for pair in pairs}) == 3


def test_an_index_of_other_bits_is_not_resumed(
    network: Network, images: ImageFolder, tmp_path: Path
) -> None:
    cancel = threading.Event()
    cancel.set()
    made = scan(network, images, tmp_path, cancel=cancel).manifest
    for bits, refused in (("0123456789abcdef", True), ("", False)):
        changed = replace(made, compute=replace(made.compute, bits=bits))
        IndexFolder(tmp_path).write_manifest(changed)
        if refused:
            with pytest.raises(IndexMismatchError, match=r"float32 on cpu, .* hash 0123456789ab"):
                scan(network, images, tmp_path)
    assert scan(network, images, tmp_path).complete


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is one")
def test_an_index_made_on_a_gpu_is_not_resumed_here(
    network: Network, images: ImageFolder, tmp_path: Path
) -> None:
    cancel = threading.Event()
    cancel.set()
    made = scan(network, images, tmp_path, cancel=cancel).manifest
    IndexFolder(tmp_path).write_manifest(
        replace(made, compute=replace(made.compute, device="cuda"))
    )
    with pytest.raises(IndexMismatchError, match="begun on device 'cuda', which this computer"):
        scan(network, images, tmp_path)


def test_without_ray_it_says_how_to_get_it(
    network: Network, images: ImageFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DeconvError, match=r"requirements-ray\.txt"):
        scan(network, images, tmp_path, engine=RayEngine("auto"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"workers": 0}, "workers is 0; give a whole number of at least 1"),
        ({"cpus": 0}, "cpus is 0; give a whole number of at least 1"),
        ({"gpus": 2}, "gpus is 2; give a whole number from 0 to 1"),
    ],
)
def test_numbers_that_cannot_be_are_refused(arguments: dict[str, int], said: str) -> None:
    with pytest.raises(DeconvError, match=said):
        RayEngine(**arguments)


def test_workers_with_a_gpu_do_not_go_on_with_an_index_of_the_cpu(
    network: Network, images: ImageFolder, tmp_path: Path
) -> None:
    cancel = threading.Event()
    cancel.set()
    scan(network, images, tmp_path, cancel=cancel)
    with pytest.raises(IndexMismatchError, match="give them no GPU"):
        scan(network, images, tmp_path, engine=RayEngine(gpus=1))
