"""Train the demo network from scratch: `python -m demo.train`.

Draws its own pictures, trains on crops and then on whole pictures, writes the folded weights and a
report. Seeds are fixed. Another CPU or torch version rounds differently, so its weights differ a
little.
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from deconv_core.whole_files import whole_file

from .augment import augmented, normalised
from .drawing import LABELS
from .network import DemoNetwork, folded, spread
from .pictures import TRAINING_SEED, UNSEEN_SEED, PictureSet, draw_set
from .report import Outcome, write_report

WEIGHTS = Path(__file__).parents[1] / "deconv_core" / "demo" / "vgg19_quarter.safetensors"
REPORT = Path(__file__).parent / "report.md"
SPARSE_FROM = 2
READING_SHARES = {2: 0.3, 3: 0.6, 4: 1.0}


@dataclass(frozen=True)
class Stage:
    """Some epochs at one crop size."""

    side: int
    batch: int
    epochs: int


@dataclass(frozen=True)
class Settings:
    """All settings of the training."""

    per_label: int = 1000
    unseen_per_label: int = 60
    stages: tuple[Stage, ...] = (Stage(128, 48, 6), Stage(224, 32, 2))
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    sparsity: float = 1.5
    seed: int = 0


def train(pictures: PictureSet, settings: Settings, weights: Path) -> DemoNetwork:
    """Train a network; returns it in eval mode. The weights are also saved during training."""
    torch.manual_seed(settings.seed)
    network = DemoNetwork(len(LABELS)).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=settings.weight_decay)
    steps = sum(len(pictures) // stage.batch * stage.epochs for stage in settings.stages)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=steps, pct_start=0.2
    )
    started, losses = time.monotonic(), []
    for step, (batch, labels) in enumerate(_batches(pictures, settings), start=1):
        loss = _loss(network, batch, labels, settings.sparsity)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if step % 100 == 0 or step == steps:
            minutes = (time.monotonic() - started) / 60
            print(
                f"step {step}/{steps}  loss {np.mean(losses[-100:]):.3f}  {minutes:.1f} min",
                flush=True,
            )
            save(network, weights)
    return network.eval()


def _batches(pictures: PictureSet, settings: Settings) -> Iterator[tuple[Tensor, Tensor]]:
    """Varied batches in a new order every epoch."""
    generator = torch.Generator().manual_seed(settings.seed)
    for stage in settings.stages:
        for _ in range(stage.epochs):
            order = torch.randperm(len(pictures), generator=generator).numpy()
            for start in range(0, len(order) - stage.batch + 1, stage.batch):
                chosen = np.sort(order[start : start + stage.batch])
                pixels = torch.from_numpy(pictures.pixels[chosen])
                yield (
                    augmented(pixels, stage.side, generator),
                    torch.from_numpy(pictures.labels[chosen]),
                )


def _loss(network: DemoNetwork, batch: Tensor, labels: Tensor, sparsity: float) -> Tensor:
    """Cross entropy of every classifier, and a small penalty for maps that fire everywhere."""
    with torch.autocast("cpu", torch.bfloat16):
        maps = network.maps(batch)
    deep = [layer for block in maps[SPARSE_FROM:] for layer in block]
    loss = sparsity * torch.stack([spread(layer) for layer in deep]).mean()
    for block, scores in network.read(maps).items():
        loss = loss + READING_SHARES[block] * nn.functional.cross_entropy(
            scores, labels, label_smoothing=0.05
        )
    return loss


def save(network: DemoNetwork, file: Path) -> None:
    """Write the plain convolutions as torchvision would name them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as part:
        save_file(folded(network), part, metadata={"preprocessing": "torchvision"})


def confusion(network: DemoNetwork, pictures: PictureSet) -> NDArray[np.int64]:
    """How often pictures of each label (row) get each predicted label (column)."""
    table = np.zeros((len(LABELS), len(LABELS)), np.int64)
    with torch.inference_mode():
        for start in range(0, len(pictures), 32):
            pixels = torch.from_numpy(np.array(pictures.pixels[start : start + 32]))
            found = network(normalised(pixels)).argmax(1).numpy()
            np.add.at(table, (pictures.labels[start : start + 32], found), 1)
    return table


def main() -> None:
    """Draw, train, measure on new pictures, write weights and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--report", type=Path, default=REPORT)
    parser.add_argument(
        "--scratch",
        type=Path,
        default=Path(tempfile.gettempdir()) / "demo",
        help="folder for the drawn pictures (150 kB each)",
    )
    options = parser.parse_args()
    settings, clock = Settings(), time.monotonic()
    options.scratch.mkdir(parents=True, exist_ok=True)
    pictures = draw_set(options.scratch / "training", settings.per_label, TRAINING_SEED)
    unseen = draw_set(options.scratch / "unseen", settings.unseen_per_label, UNSEEN_SEED)
    drawn = time.monotonic()
    network = train(pictures, settings, options.weights)
    trained = time.monotonic()
    save(network, options.weights)
    device = (
        f"{platform.machine()} CPU, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    outcome = Outcome(confusion(network, unseen), drawn - clock, trained - drawn, device)
    write_report(options.report, settings, outcome, options.weights.stat().st_size)


if __name__ == "__main__":
    main()
