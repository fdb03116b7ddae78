"""Where and how a scan computes."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deconv_core.errors import DeconvError, IndexMismatchError
from deconv_core.images.folder import ImageFolder
from deconv_core.network.network import POOL, PREPROCESSINGS, Network, build_network
from deconv_core.scanning.compute import ScanNetwork, choose_compute, to_batch
from deconv_core.scanning.scan import scan
from tests.core.networks import random_chain


def test_float32_on_the_cpu_is_the_choice_for_a_few_images(
    network: Network, images: ImageFolder
) -> None:
    compute = choose_compute(network, images, "auto")
    assert (compute.precision, compute.device, compute.compiled) == ("float32", "cpu", False)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(
    network: Network, images: ImageFolder, device: str
) -> None:
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("there is one here")
    with pytest.raises(DeconvError, match=f"{device}.*choose 'cpu'"):
        choose_compute(network, images, "float32", device)
    with pytest.raises(DeconvError, match="'tpu' is not known; choose auto, cpu, cuda, mps"):
        choose_compute(network, images, "float32", "tpu")


def test_a_device_that_fails_when_tried_is_not_used(
    network: Network, images: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    if torch.cuda.is_available():
        pytest.skip("it works here")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # as with a broken driver
    assert choose_compute(network, images, "float32").device == "cpu"
    with pytest.raises(DeconvError, match="cannot be used: "):
        choose_compute(network, images, "float32", "cuda")


def test_a_device_that_computes_something_else_is_not_used(
    network: Network, images: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = ScanNetwork.prepare.__func__  # type: ignore[attr-defined]

    def prepare(cls: type, network: Network, compute: object) -> ScanNetwork:
        wrong = replace(compute, device="cpu")  # type: ignore[type-var]
        made: ScanNetwork = really(cls, network, wrong)
        if compute.device == "cuda":  # type: ignore[attr-defined]
            first, *others = made.graph.nodes
            step = replace(first.step, weight=first.step.weight * 1.01)  # type: ignore[union-attr, call-arg]
            nodes = (replace(first, step=step), *others)
            return replace(made, graph=replace(made.graph, nodes=nodes))
        return made

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(ScanNetwork, "prepare", classmethod(prepare))
    assert choose_compute(network, images, "float32").device == "cpu"
    with pytest.raises(DeconvError, match="conv1_1 differ from the CPU's"):
        choose_compute(network, images, "float32", "cuda")


def test_a_scan_says_what_it_cannot_compute_on(
    network: Network, images: ImageFolder, tmp_path: Path
) -> None:
    with pytest.raises(DeconvError, match="device 'tpu' is not known"):
        scan(network, images, tmp_path / "index", device="tpu")
    scan(network, images, tmp_path / "index", device="cpu")
    with pytest.raises(IndexMismatchError, match="device cpu; now it is cuda"):
        scan(network, images, tmp_path / "index", device="cuda")


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_compiled_it_gives_the_same(images: ImageFolder) -> None:
    chain = random_chain(0, [4, POOL, 5])
    network = build_network("two", chain, PREPROCESSINGS["torchvision"])
    pixels = to_batch([images.read(place) for place in range(3)])
    plain = choose_compute(network, images, "float32")
    expected = ScanNetwork.prepare(network, plain).peaks(pixels)
    compiled = choose_compute(network, images, "float32", compiled=True)
    assert compiled == replace(plain, compiled=True)
    found = ScanNetwork.prepare(network, compiled).peaks(pixels)
    for name, peaks in expected.items():
        assert np.allclose(found[name].values, peaks.values, rtol=1e-5)
        assert np.array_equal(found[name].rows, peaks.rows)
        assert np.array_equal(found[name].columns, peaks.columns)
