"""A server whose data folder already holds one scanned dataset."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deconv_core.activation_index import ActivationIndex
from deconv_core.images import ImageFolder
from tests.browser.conftest import Server


@dataclass
class Scanned:
    """A server, and the names of what was scanned on it."""

    server: Server
    network: str
    dataset: str

    def url(self, page: str, **parameters: str) -> str:
        names = {"network": self.network, "dataset": self.dataset}
        return self.server.url(page, **{**names, **parameters})


def filled(server: Server, images: ImageFolder, index: ActivationIndex, weights: Path) -> Scanned:
    """The drawn images and the narrow network, scanned, in a server's data folder."""
    registry = server.registry
    dataset, network = registry.add_folder(images.root), registry.add_weights(weights)
    shutil.copytree(index._folder.path, registry.index_path(dataset, network))
    return Scanned(server, network.network_id, dataset.dataset_id)


@contextmanager
def serving(
    home: Path, images: ImageFolder, index: ActivationIndex, weights: Path
) -> Iterator[Scanned]:
    """A server for several tests."""
    server = Server(home)
    server.start()
    try:
        yield filled(server, images, index, weights)
    finally:
        server.stop()
    assert "Traceback" not in server.log(), server.log()
