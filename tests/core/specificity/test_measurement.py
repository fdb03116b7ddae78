"""``measure``: parts as they are ready, cancel, what it refuses, and its sentence."""

import threading

import numpy as np
import pytest

from deconv_core.errors import CancelledError, DeconvError
from deconv_core.images.folder import ImageFolder
from deconv_core.network.network import Network
from deconv_core.pictures import Reconstruction
from deconv_core.reconstruction.reconstruct import reconstruct
from deconv_core.reconstruction.whole_image import feature_maps
from deconv_core.specificity.measurement import measure
from deconv_core.specificity.specificity import Deletion, Specificity
from deconv_core.units import Activation, Unit

PICTURE = "dog/noise.png"


@pytest.fixture(scope="module")
def picture(
    network: Network, images: ImageFolder, pictures: dict[str, np.ndarray]
) -> Reconstruction:
    maps = feature_maps(network, pictures[PICTURE], "conv3_2")
    channel, row, column = (int(n) for n in np.unravel_index(maps.argmax(), maps.shape))
    value = float(maps[channel, row, column])
    found = Activation(Unit("conv3_2", channel), PICTURE, row, column, value)
    return reconstruct(network, images, [found])[0]


def test_parts_come_as_they_are_ready(
    network: Network, picture: Reconstruction, pictures: dict[str, np.ndarray]
) -> None:
    parts = list(measure(network, picture, pictures[PICTURE]))
    channels = network.layers["conv3_2"].channels
    first, last = parts[0], parts[-1]
    assert first.deletion is None
    assert first.sentence == ""
    assert len(first.channels) == channels - 1
    compared = [len(part.other_maps) for part in parts]
    assert compared[0] == min(8, channels - 1)
    assert compared == sorted(compared)
    assert len(last.random_networks) == 3
    assert last.deletion is not None
    assert len(last.deletion.others) == channels - 1
    assert set(last.deletion.rules) == {"guided", "gradient"}
    found = [similarity.spearman for similarity in last.other_maps]
    assert last.extremes == (found.index(max(found)), found.index(min(found)))
    assert [p.shape for p in last.extreme_pictures] == [picture.pixels.shape] * 2
    assert f"of {channels - 1} other maps' pictures" in last.sentence


def test_the_same_seed_measures_the_same(
    network: Network, picture: Reconstruction, pictures: dict[str, np.ndarray]
) -> None:
    *_, once = measure(network, picture, pictures[PICTURE], others=2)
    *_, again = measure(network, picture, pictures[PICTURE], others=2)
    assert (once.channels, once.other_maps, once.random_networks, once.deletion) == (
        *(again.channels, again.other_maps, again.random_networks, again.deletion),
    )


def test_it_stops_when_it_is_cancelled(
    network: Network, picture: Reconstruction, pictures: dict[str, np.ndarray]
) -> None:
    cancel = threading.Event()
    parts = measure(network, picture, pictures[PICTURE], cancel)
    next(parts)
    cancel.set()
    with pytest.raises(CancelledError):
        next(parts)


def test_it_refuses_another_image_and_another_replacement(
    network: Network, picture: Reconstruction, pictures: dict[str, np.ndarray]
) -> None:
    with pytest.raises(DeconvError, match="another image"):
        next(measure(network, picture, 255 - pictures[PICTURE]))
    with pytest.raises(DeconvError, match="choose one of blur, grey, mean"):
        next(measure(network, picture, pictures[PICTURE], replacement="black"))


def test_the_sentence_says_the_numbers(picture: Reconstruction) -> None:
    own = (1.0, *[0.5] * 7, 0.31)
    others = ((1.0, 0.9, 0.9), (1.0, 0.3, 0.3), (1.0, 0.6, 0.6))
    made = Deletion(own, (1.0, *[0.95] * 8), {}, others)
    assert Specificity(picture, (1, 2, 3), deletion=made).sentence == (
        "Replacing 8 % of the field by this picture lowers the activation to 31 %; faster than by "
        "2 of 3 other maps' pictures; random order leaves 95 %."
    )
