"""The trained network and the plain one that ships are the same function."""

import torch

from demo.network import DemoNetwork, folded, plain_features


def _trained_a_little() -> DemoNetwork:
    """A small network whose normalisation has seen some data."""
    torch.manual_seed(0)
    network = DemoNetwork(labels=3, widths=(4, 4, 6, 6, 8))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.3, 0.3)
    for _ in range(3):
        network(torch.randn(4, 3, 64, 64))
    return network.eval()


def test_folding_keeps_the_features() -> None:
    network = _trained_a_little()
    plain = plain_features(folded(network))
    pictures = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = torch.max_pool2d(network.maps(pictures)[-1][-1], 2)
        assert torch.allclose(plain(pictures), expected, rtol=1e-4, atol=1e-5)


def test_names_are_those_of_torchvision() -> None:
    names = list(folded(_trained_a_little()))
    indices = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
    assert names == [f"features.{index}.{kind}" for index in indices for kind in ("weight", "bias")]
