"""Store the answer that the first page opens with: `python -m demo.opening`.

It is what the public functions give for the demo's pictures, drawn: a page can show it before
anything is computed. Run it again after the weights, the pictures or the index have changed.
"""

import json
from dataclasses import asdict

from deconv_core import ActivationIndex, ImageFolder, Scale, compose_grid, load_network, reconstruct
from deconv_core.demo import demo_images, demo_index, opening_files
from deconv_core.whole_files import whole_file, write_whole

LAYER, SCALE = "conv4_4", "clipped"


def main() -> None:
    """Ask, draw, write."""
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
