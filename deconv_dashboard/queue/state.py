"""The state of a background job: status, progress, place in the queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deconv_core import errors
from deconv_core.errors import DeconvError, DownloadError, NoRoomError, Remedy

ENDS = ("done", "cancelled", "failed")
RESTING = "Rests while other jobs are active"
"""The step of a job that gives way to others."""


@dataclass(frozen=True)
class Progress:
    """The progress of a job.

    Attributes:
        step: the current step in words; "" if the numbers are enough.
        done: number of units done.
        total: number of units in all; 0 if unknown.
        unit: name of the unit in the singular: "image", "map", "byte", "folder".
        found: units that were done before this job began; ``done`` includes them.
        failed: units that could not be read; ``done`` includes them.
        per_second: units per second in this run.
        seconds_left: estimated seconds to the end, or None.
    """

    step: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    found: int = 0
    failed: int = 0
    per_second: float = 0.0
    seconds_left: float | None = None

    @property
    def share(self) -> float:
        """The share that is done, between 0 and 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


@dataclass(frozen=True)
class JobState:
    """A background job as every session sees it.

    Attributes:
        status: active: "waiting", "running", "cancelling"; ended: "done", "cancelled" (a scan
            is paused: it keeps its finished images), "failed"; "none" if it was never started.
        kind: "scan", "export", "specificity", "pictures", "weights" or "caltech256".
        key: names the work.
        job_id: names this start of the work.
        dataset: id of the dataset it reads, or "".
        network: id of the network it uses, or "".
        name: name of the file it writes, or "".
        progress: the current or last progress.
        place: number of active jobs before it in the queue.
        after: the job just before it, or None.
        message: why it failed, or "".
        error: class name of the error it failed with, or "".
        remedies: what helps, as the error said it.
        anew: a scan that writes a new index; pages show the old index until the new one is done.
        passed_over: kind -> number of files that a scan skipped when it listed the images.
    """

    status: str = "none"
    kind: str = ""
    key: str = ""
    job_id: str = ""
    dataset: str = ""
    network: str = ""
    name: str = ""
    progress: Progress = Progress()
    place: int = 0
    after: JobState | None = None
    message: str = ""
    error: str = ""
    remedies: tuple[Remedy, ...] = ()
    anew: bool = False
    passed_over: Mapping[str, int] = field(default_factory=dict)

    @property
    def failure(self) -> DeconvError:
        """Why it failed and what helps; it says nothing if it did not fail."""
        kinds = (NoRoomError, DownloadError)
        kind = next((one for one in kinds if self.failed_by(one)), DeconvError)
        return kind(self.message, *self.remedies)

    def failed_by(self, kind: type[DeconvError]) -> bool:
        """True if it failed with an error of this class."""
        found = getattr(errors, self.error, None) if self.error else None
        return isinstance(found, type) and issubclass(found, kind)

    @property
    def active(self) -> bool:
        """True while it waits, runs or is being cancelled."""
        return self.status in ("waiting", "running", "cancelling")
