"""Coverage-guided fuzzing with atheris: ``pip install -r requirements-fuzz.txt``, then

    python -m tests.fuzz.run TARGET CORPUS_FOLDER [libFuzzer options, such as -max_total_time=180]

An input that breaks a target is written to the current folder; keep it, as small as it can be made
(``-minimize_crash=1``), in ``tests/fuzz/finds/TARGET/``.
"""

from __future__ import annotations

import resource
import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["deconv_core", "deconv_dashboard", "PIL", "zipfile"]):
    from tests.fuzz.targets import TARGETS

MOST_MEMORY = 16 * 2**30
"""Bytes of address space: a pickle may ask for any, and gets a MemoryError."""


def main() -> None:
    """Fuzz one target."""
    name, corpus, *options = sys.argv[1:]
    target, folder = TARGETS[name], Path(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (folder / f"seed-{number:02d}").write_bytes(seed)
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    limits = ["-timeout=30", "-rss_limit_mb=3000", "-max_len=65536", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *limits, *options, str(folder)], target.read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
