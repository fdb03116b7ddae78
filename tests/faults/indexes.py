"""Two indexes compared bit for bit, and their files listed."""

import hashlib
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from deconv_core.index.activation_index import ActivationIndex


def everything(path: Path) -> dict[str, str]:
    """Digests of all that an index holds: every peak of every map to the bit, images, summary.

    The peaks are read from the blocks directly, however those are cut or merged.
    """
    index = ActivationIndex.open(path)
    blocks = [pq.read_table(file).to_pandas() for file in sorted((path / "blocks").glob("0*"))]
    peaks = pd.concat(blocks, ignore_index=True).astype({"layer": "str"})
    names = dict(enumerate(pq.read_table(path / "images.parquet").to_pandas()["image_id"]))
    peaks["image"] = peaks["image"].map(names)
    found = {
        "images": _digest(index.images),
        "complete": str(index.complete),
        "peaks": _digest(peaks.sort_values(["layer", "channel", "image"])),
    }
    for kind in ("top", "maps"):
        for file in path.glob(f"{kind}-*.parquet"):
            found[kind] = _digest(pq.read_table(file).to_pandas())
    return found


def _digest(table: pd.DataFrame) -> str:
    digest = hashlib.sha256()
    for name in table.columns:
        column = table[name].to_numpy()
        plain = column.tolist() if column.dtype == object else column.tobytes()
        digest.update(f"{name} {plain!r}".encode())
    return digest.hexdigest()


def contents(path: Path, pattern: str = "**/*") -> dict[str, bytes]:
    """Name below the folder -> content, of every file."""
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in sorted(path.glob(pattern))
        if file.is_file()
    }
