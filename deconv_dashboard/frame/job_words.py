"""Background jobs in words: name, progress, place in the queue."""

from __future__ import annotations

from deconv_dashboard.data.registry import Registry
from deconv_dashboard.queue.state import JobState, Progress
from deconv_dashboard.wording import counted, duration, file_size, ordinal

_DOING = {
    "scan": "Scanning",
    "export": "Exporting",
    "specificity": "Measuring pictures of",
    "pictures": "Preparing pictures of",
    "weights": "Downloading VGG19's weights",
    "caltech256": "Downloading Caltech-256",
}
_NOUNS = {
    "scan": "the scan",
    "export": "the export",
    "specificity": "the measurement",
    "pictures": "the preparation of pictures",
    "weights": "the download of VGG19's weights",
    "caltech256": "the download of Caltech-256",
}


def job_doing(registry: Registry, state: JobState) -> str:
    """For example "Scanning dogs with VGG19 (ImageNet)"; plain text."""
    doing = _DOING.get(state.kind, "Working")
    if state.kind == "weights" and state.network:
        return f"Downloading the weights of {_network(registry, state)}"
    if not state.dataset:
        return doing
    if state.kind == "pictures":
        doing += f" {state.name} in"
    return f"{doing} {_images_of(registry, state)} with {_network(registry, state)}"


def job_noun(registry: Registry, state: JobState) -> str:
    """For example "the scan of dogs"; plain text."""
    noun = _NOUNS.get(state.kind, "another job")
    if state.kind == "weights" and state.network:
        return f"the download of the weights of {_network(registry, state)}"
    if state.kind == "pictures":
        noun += f" of {state.name} in"
        return f"{noun} {_images_of(registry, state)}"
    return f"{noun} of {_images_of(registry, state)}" if state.dataset else noun


def _network(registry: Registry, state: JobState) -> str:
    networks = {network.network_id: network.name for network in registry.networks()}
    return networks.get(state.network, "another network")


def _images_of(registry: Registry, state: JobState) -> str:
    """The name of the dataset that a job reads; "other images" if it may not be shown here."""
    names = {dataset.dataset_id: dataset.name for dataset in registry.datasets()}
    return names.get(state.dataset, "other images")


def job_text(registry: Registry, state: JobState) -> str:
    """The progress of a job, or its place in the queue; plain text."""
    if state.status == "waiting":
        if state.after is None:
            return "Starting"
        before = job_noun(registry, state.after)
        return f"{ordinal(state.place + 1)} in line, after {before}"
    if state.status == "cancelling":
        if state.kind == "scan":
            return "Pausing: the images in work are finished first"
        return "Cancelling: the current step ends first"
    return progress_text(state.progress)


def progress_text(progress: Progress) -> str:
    """One line: the step, the amount done, the speed, the time left."""
    parts = [_amount(progress)] if progress.total else []
    if progress.per_second:
        parts.append(f"{progress.per_second:.1f} {progress.unit}s/s")
    if progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    if progress.found:
        parts.append(f"{progress.found:,} done before")
    if progress.failed:
        what = "left out" if progress.unit == "map" else "not readable"
        parts.append(f"{progress.failed:,} {what}")
    return ": ".join(filter(None, [progress.step, " · ".join(parts)]))


def _amount(progress: Progress) -> str:
    done, total = progress.done, progress.total
    if progress.unit == "byte":
        return f"{file_size(done)} of {file_size(total)}"
    return f"{done:,} of {counted(total, progress.unit)}"
