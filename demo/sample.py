"""Draw the sample set and scan it: `python -m demo.sample`. Needs the trained weights.

The pictures have seeds that training never uses. `deconv_core.scan` makes the index; only the path
of the pictures in it becomes relative, so that it is valid in any clone.
"""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

from deconv_core import ImageFolder, load_network, scan
from deconv_core.demo import demo_images, demo_index
from deconv_core.errors import DeconvError
from deconv_core.index.folder import IndexFolder
from deconv_core.index.place import holds_index

from .draw import draw_folder
from .pictures import SAMPLE_SEED

BLOCK_SIZE = 64


def build_sample(images: Path, index: Path, per_label: int) -> None:
    """Replace the pictures and the index with new ones.

    Raises:
        DeconvError: one of the folders holds something else.
    """
    if not holds_index(IndexFolder(index)) and index.exists():
        raise DeconvError(f"{index} is not an index; choose a folder that does not exist yet")
    others = [path for path in images.rglob("*") if path.is_file() and not _is_drawing(path)]
    if others or images.is_file():
        raise DeconvError(f"{images} holds more than drawings; choose a folder that is not there")
    for folder in (images, index):
        shutil.rmtree(folder, ignore_errors=True)
    size = draw_folder(images, per_label, SAMPLE_SEED)
    made = scan(load_network("demo"), ImageFolder(images), index, block_size=BLOCK_SIZE)
    folder = IndexFolder(index)
    folder.write_manifest(replace(made.manifest, image_root=f"../{images.name}"))
    (index / "scan.lock").unlink(missing_ok=True)
    print(f"{len(made.images)} pictures, {size / 1e6:.1f} MB, scanned into {index}")


def _is_drawing(path: Path) -> bool:
    label, _, seed = path.stem.partition("_")
    return label == path.parent.name and seed.isdigit() and path.suffix == ".jpg"


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path, default=demo_images())
    parser.add_argument("--index", type=Path, default=demo_index())
    parser.add_argument("--per-label", type=int, default=16, help="pictures of each label (16)")
    options = parser.parse_args()
    build_sample(options.images, options.index, options.per_label)


if __name__ == "__main__":
    main()
