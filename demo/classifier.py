"""Fit the demo network's classifier: `python -m demo.classifier`. Needs the trained weights.

Training removes the classifiers that it used, so this fits another one to the finished network:
label scores are linear in the mean of each map of the last pooling. The network itself stays as it
is. Writes the classifier and a report.
"""

import argparse
import json
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from deconv_core import load_network
from deconv_core.deconvnet import convnet_pass
from deconv_core.demo import demo_classifier
from deconv_core.whole_files import whole_file, write_whole

from .drawing import LABELS
from .pictures import TRAINING_SEED, UNSEEN_SEED, PictureSet, draw_set

REPORT = Path(__file__).parent / "classifier.md"
PENALTY = 1e-3
"""Of the squared weights; without one, every probability would be 0 or 1."""


def means(pictures: PictureSet, together: int = 32) -> Tensor:
    """The mean of each map of the last layer (n, channels)."""
    network = load_network("demo")
    last, found = list(network.layers)[-1], []
    for start in range(0, len(pictures), together):
        pixels = torch.from_numpy(pictures.pixels[start : start + together].copy())
        inputs = network.normalise(pixels.permute(0, 3, 1, 2).contiguous())
        found.append(convnet_pass(network.graph, inputs, last).feature_maps.mean((2, 3)))
    return torch.cat(found).clone()


def fitted(features: Tensor, labels: Tensor, penalty: float = PENALTY) -> tuple[Tensor, Tensor]:
    """Weight and bias of a logistic regression, by L-BFGS in double precision."""
    centre, deviation = features.double().mean(0), features.double().std(0) + 1e-6
    inputs = (features.double() - centre) / deviation
    weight = nn.Parameter(inputs.new_zeros(len(LABELS), inputs.shape[1]))
    bias = nn.Parameter(inputs.new_zeros(len(LABELS)))
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        scores = nn.functional.linear(inputs, weight, bias)
        total = nn.functional.cross_entropy(scores, labels) + penalty * weight.square().sum()
        total.backward()
        return total

    optimiser.step(loss)
    scaled = weight.detach() / deviation
    return scaled.float().contiguous(), (bias.detach() - scaled @ centre).float()


def main() -> None:
    """Draw, fit, measure on new pictures, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--per-label", type=int, default=60, help="drawings of each label (60)")
    parser.add_argument(
        "--scratch", type=Path, default=Path(tempfile.gettempdir()) / "demo classifier"
    )
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    drawn = draw_set(options.scratch / "training", options.per_label, TRAINING_SEED)
    unseen = draw_set(options.scratch / "unseen", 30, UNSEEN_SEED)
    weight, bias = fitted(means(drawn), torch.from_numpy(drawn.labels))
    probabilities = nn.functional.linear(means(unseen), weight, bias).softmax(1)
    labels = torch.from_numpy(unseen.labels)
    right = int((probabilities.argmax(1) == labels).sum())
    of_right = float(probabilities.gather(1, labels[:, None]).median())
    with whole_file(demo_classifier()) as part:
        tensors = {"weight": weight, "bias": bias}
        save_file(tensors, part, {"classes": json.dumps(LABELS)})
    lines = [
        "# The demo network's classifier",
        "",
        "Written by `python -m demo.classifier`, after the training of the network: a logistic",
        "regression on the means of the last layer's maps. The network itself did not change.",
        "",
        f"- Fitted to {len(drawn):,} drawings of the network's training",
        f"- Accuracy on {len(unseen):,} unseen drawings: **{right / len(unseen):.2%}**",
        f"- Median probability of the right label there: {of_right:.3f}",
        f"- Penalty of the squared weights: {PENALTY:g}",
    ]
    write_whole(REPORT, ("\n".join(lines) + "\n").encode())
    print("\n".join(lines))


if __name__ == "__main__":
    main()
