"""What is known of a background job: how far it is, and how it stands in the queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deconv_core import errors
from deconv_core.errors import DeconvError

ENDS = ("done", "cancelled", "failed")


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        step: what it does now, in words; "" where the numbers say enough.
        done: images, maps, bytes or whatever ``unit`` is.
        total: of how many; 0 while nobody knows.
        unit: what is counted, in the singular.
        found: of those done, how many were done before this job began.
        failed: of those done, how many could not be read.
        per_second: of this run.
        seconds_left: estimate, or None.
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
        """Between 0 and 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


@dataclass(frozen=True)
class JobState:
    """A background job as every session sees it.

    Attributes:
        status: "waiting", "running", "cancelling"; "done", "cancelled" (its work so far is kept
            where that makes sense), "failed"; "none" if it was never started.
        kind: "scan", "export", "weights" or "caltech256".
        key: names the work.
        job_id: names this one start of it.
        dataset: id of the dataset it reads, or "".
        network: id of the network it uses, or "".
        name: of the file it makes, or "".
        progress: how far it is, or was.
        place: how many jobs of this data folder come before it.
        after: the one just before it, or None.
        message: why it failed, or "".
        error: name of the class of the error by which it failed, or "".
        anew: of a scan: it goes into a new index; the one before is shown until that is done.
        passed_over: of a scan: kind -> number of what was not taken when the images were listed.
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
    anew: bool = False
    passed_over: Mapping[str, int] = field(default_factory=dict)

    def failed_by(self, kind: type[DeconvError]) -> bool:
        """True if it failed by an error of this kind."""
        found = getattr(errors, self.error, None) if self.error else None
        return isinstance(found, type) and issubclass(found, kind)

    @property
    def active(self) -> bool:
        """True from its start to its end: while it waits, runs or is being cancelled."""
        return self.status in ("waiting", "running", "cancelling")
