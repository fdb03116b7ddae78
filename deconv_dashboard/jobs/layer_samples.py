"""The background job that measures how specific the pictures of layers are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import deconv_core
from deconv_core.index.activation_index import ActivationIndex
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.queue.page_work import PageWork
from deconv_dashboard.queue.queue import NewJob
from deconv_dashboard.queue.state import JobState, Progress
from deconv_dashboard.queue.worker import Cancel, Tell

_KIND = "specificity"


@dataclass(frozen=True)
class Order:
    """What the job does: it measures a sample of the pictures of layers, into a table."""

    dataset: Dataset
    network: NetworkChoice
    index: Path
    layers: tuple[str, ...]
    home: Path
    within: tuple[Path, ...] | None
    table: Path


def start_sampling(
    registry: Registry, dataset: Dataset, network: NetworkChoice, layers: Sequence[str]
) -> None:
    """Measure layers, or go on; nothing happens if layers of this index are being measured.

    Raises:
        DeconvError: the dataset or the network was deleted, the queue or the data folder is full,
            or no process can be started.
    """
    index, table = registry.index_path(dataset, network), sample_path(registry, dataset, network)

    def still_there() -> None:
        registry.dataset(dataset.dataset_id)
        registry.network(network.network_id)

    order = Order(dataset, network, index, tuple(layers), registry.home, registry.within, table)
    registry.jobs.start(
        NewJob(
            *(_KIND, _key(dataset, network), __name__, order),
            dataset=dataset.dataset_id,
            network=network.network_id,
        ),
        still_there,
    )


def sampling_state(registry: Registry, dataset: Dataset, network: NetworkChoice) -> JobState:
    """The state of the job; the same in every session."""
    return registry.jobs.find(_key(dataset, network))


def sample_path(registry: Registry, dataset: Dataset, network: NetworkChoice) -> Path:
    """The table of the measured pictures; it is deleted with the index."""
    name = f"{dataset.dataset_id}-{network.network_id}.{_KIND}.csv"
    return registry.home / "indexes" / name


def _key(dataset: Dataset, network: NetworkChoice) -> str:
    return f"{_KIND} {dataset.dataset_id}-{network.network_id}"


def work(order: Order, tell: Tell, cancel: Cancel) -> None:
    """Measure."""
    from deconv_core.specificity.layer_sample import measure_layers  # loads torch: not for pages

    dataset, network = order.dataset, order.network
    tell(Progress("Loading the network"))
    loaded = deconv_core.load_network(
        *(network.source, network.preprocessing), home=order.home, cancel=cancel
    )
    images, pages = dataset.images(order.within), PageWork(order.home)

    def measured(done: int, total: int) -> None:
        tell(Progress("", done, total, "picture"))
        pages.rest(cancel)

    measure_layers(
        *(loaded, images, ActivationIndex.open(order.index), order.layers, order.table),
        progress=measured,
        cancel=cancel,
    )
