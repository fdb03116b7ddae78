"""A saved network of residual blocks over images that are not square: strip, image, position."""

import re
from pathlib import Path

import pytest
import torch
from playwright.sync_api import expect
from torch import nn

from deconv_core import load_network, scan
from deconv_core.images.folder import ImageFolder
from tests.browser.conftest import OpenPage
from tests.browser.server import Scanned, Server
from tests.core.network.modules import Block, lively

pytestmark = pytest.mark.browser


def saved(path: Path) -> Path:
    """Twelve blocks in two stages: more layers than a strip shows whole."""
    torch.manual_seed(0)
    blocks = [Block(4 if n else 3, 4, 2 if n in (0, 6) else 1) for n in range(12)]
    module = lively(nn.Sequential(nn.Sequential(*blocks[:6]), nn.Sequential(*blocks[6:])))
    load_network(module, input_size=(48, 96)).save(path)
    return path


def test_blocks_open_and_positions_are_of_the_images_size(
    server: Server, open_page: OpenPage, images: ImageFolder, tmp_path: Path
) -> None:
    registry = server.registry
    network = registry.add_weights(saved(tmp_path / "own.safetensors"))
    dataset = registry.add_folder(images.root)
    scan(load_network(network.source), images, registry.index_path(dataset, network))
    shown = Scanned(server, network.network_id, dataset.dataset_id)

    page = open_page(shown.url("layer", layer="0.1"))
    expect(page.get_by_role("heading", name="0.1: the 9 images")).to_be_visible()
    page.locator("button.closed", has_text="12 × 24").click()
    page.wait_for_url(re.compile(r"layer=1\.0"))
    expect(page.locator("button.cell.chosen")).to_be_visible()

    page.goto(shown.url("image", layer="1.0.conv2", image="dog/square.png"))
    picture = page.locator(".position")
    expect(picture.locator("img")).to_be_visible()
    box = picture.bounding_box()
    assert box is not None
    assert box["width"] == pytest.approx(2 * box["height"], rel=0.02)
    picture.click(position={"x": box["width"] * 90.5 / 96, "y": box["height"] * 40.5 / 48})
    page.wait_for_url(re.compile(r"position=(89|90|91)%2C(39|40|41)"))
    expect(page.get_by_text(re.compile(r"Column \d+, row \d+\. The frame shows"))).to_be_visible()
