"""Draw pictures into a folder per label: `python -m demo.draw --out FOLDER --count 16`."""

import argparse
from pathlib import Path

from deconv_core.whole_files import whole_file

from .drawing import LABELS, draw
from .pictures import SAMPLE_SEED


def draw_folder(folder: Path, count: int, first_seed: int, labels: tuple[str, ...] = LABELS) -> int:
    """Write `count` drawings of every label as JPEG files; returns how many bytes they take."""
    size = 0
    for label in labels:
        target = folder / label
        target.mkdir(parents=True, exist_ok=True)
        for seed in range(first_seed, first_seed + count):
            file = target / f"{label}_{seed}.jpg"
            with whole_file(file) as part:
                draw(label, seed).image.save(part, "JPEG", quality=88, optimize=True)
            size += file.stat().st_size
    return size


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--count", type=int, default=16, help="pictures of each label")
    parser.add_argument(
        "--seed",
        type=int,
        default=SAMPLE_SEED,
        help="first seed; the default's pictures are never used in training",
    )
    parser.add_argument("--labels", nargs="+", choices=LABELS, default=LABELS)
    options = parser.parse_args()
    size = draw_folder(options.out, options.count, options.seed, tuple(options.labels))
    print(f"{options.count * len(options.labels)} pictures, {size / 1e6:.2f} MB in {options.out}")


if __name__ == "__main__":
    main()
