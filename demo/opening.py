"""Store the first pictures of the Start page: `python -m demo.opening`.

The public functions make them from the demo's pictures, so the page can show them without
computing. Run it again after the weights, the pictures or the index change.
"""

import json
from dataclasses import asdict

from deconv_core import ActivationIndex, ImageFolder, Scale, compose_grid, load_network, reconstruct
from deconv_core.demo import demo_images, demo_index, opening_files
from deconv_core.whole_files import whole_file, write_whole

LAYER, SCALE = "conv4_4", "clipped"


def main() -> None:
    """Query the index, draw the tiles, write the files."""
    found = ActivationIndex.open(demo_index()).top(LAYER)
    pictures = reconstruct(load_network("demo"), ImageFolder(demo_images()), found)
    scale = Scale.named(SCALE, pictures)
    numbers, reconstructions, patches = opening_files()
    for path, kind in ((reconstructions, "reconstruction"), (patches, "patch")):
        grid = compose_grid(pictures, kind, scale=scale)
        with whole_file(path) as part:
            grid.save(part, "WEBP", lossless=True, quality=100, method=6)
    rows = [{**asdict(activation), "unit": str(activation.unit)} for activation in found]
    content = {"layer": LAYER, "scale": SCALE, "caption": scale.caption, "activations": rows}
    write_whole(numbers, (json.dumps(content, indent=1) + "\n").encode())
    print(
        f"{len(found)} tiles of {LAYER}, {sum(f.stat().st_size for f in opening_files()):,} bytes"
    )


if __name__ == "__main__":
    main()
