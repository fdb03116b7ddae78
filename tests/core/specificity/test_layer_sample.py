"""A layer's sample: seeded pairs of living maps, each measured."""

from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.specificity.layer_sample import layer_sample, sampled_pairs
from tests.core.networks import DEAD


def test_pairs_are_seeded_and_of_living_maps(index: ActivationIndex) -> None:
    layer, dead = DEAD
    chosen = sampled_pairs(index, layer)
    channels = [found.unit.channel for found in chosen]
    living = [n for n in range(index.layers[layer].channels) if index.top(layer, n)]
    assert dead not in channels
    assert sorted(channels) == living
    assert all(found in index.top(layer, found.unit.channel) for found in chosen)
    assert chosen == sampled_pairs(index, layer)
    assert chosen[:2] == sampled_pairs(index, layer, 2)


def test_each_pair_is_measured(
    network: Network, images: ImageFolder, index: ActivationIndex
) -> None:
    found = list(layer_sample(network, images, index, "conv2_2", 2, others=3))
    chosen = [specificity.picture.activation for specificity in found]
    assert [a.unit for a in chosen] == [a.unit for a in sampled_pairs(index, "conv2_2", 2)]
    for specificity in found:
        assert specificity.deletion is not None
        assert len(specificity.deletion.others) == len(specificity.other_maps) == 3
