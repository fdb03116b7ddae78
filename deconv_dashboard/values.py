"""The values that travel between the folders of the dashboard: frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from deconv_core.errors import DeconvError
from deconv_core.images.folder import ImageContent
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.ranked_peaks import Rank
from deconv_core.layers import INPUT_SIZE, Layer
from deconv_core.names import visible
from deconv_core.output.provenance import Provenance
from deconv_core.pictures import Reconstruction, Rule
from deconv_core.units import Activation, Unit
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.notes_files import UnitNote
from deconv_dashboard.data.registry import Registry

EACH = "each"
"""Value of ``copies`` in the address: every copy of a picture counts."""
Copies = Mapping[str, tuple[str, ...]] | None


@dataclass(frozen=True)
class Choice:
    """The choices of one page run: network, dataset, label, and what the address asks for.

    Attributes:
        registry: the datasets, networks and indexes of the data folder.
        network: the chosen network.
        dataset: the chosen dataset.
        label: the chosen label; None for all images.
        index: the index of this network and dataset, finished or not; None before the first scan.
        index_path: the folder of the index; it may not exist yet.
        index_stamp: names the state of the index; it changes when the index changes.
        problem: why the index cannot be read; None if it can.
        values: the checked query parameters of this page, among them ``layer`` and ``map``.
        page: name of the page that asks.
        notes: messages about wrong values in the address.
        named: what people wrote about feature maps of the network; only maps with a name, a star
            or a note.
        second: the other side of a comparison, with a label, a map or a network of its own.
        side: what this side is called where two maps or two networks are compared, else "".
    """

    registry: Registry
    network: NetworkChoice
    dataset: Dataset
    label: str | None
    index: ActivationIndex | None
    index_path: Path
    index_stamp: str = ""
    problem: DeconvError | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    page: str = "start"
    notes: tuple[str, ...] = ()
    named: Mapping[Unit, UnitNote] = field(default_factory=dict)
    second: Choice | None = None
    side: str = ""

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The layers of the index; empty without an index."""
        return self.index.layers if self.index else {}

    @property
    def layer(self) -> Layer | None:
        """The layer in the address; None without an index."""
        return self.layers.get(self.values.get("layer", ""))

    @property
    def approximate(self) -> bool:
        """True if the index holds bfloat16 values, which are a little off."""
        return self.index is not None and self.index.precision != "float32"

    @property
    def has_copies(self) -> bool:
        """True if pictures of the dataset have copies: files of equal content."""
        return self.index is not None and bool(self.index.equal_images)

    @property
    def copies(self) -> bool:
        """True if every copy counts in an answer; on Start each picture counts once."""
        return self.page != "start" and self.values.get("copies") == EACH

    @property
    def maps_once(self) -> bool:
        """True if each feature map takes one place of a layer's top; only the Layer page asks."""
        return self.page == "layer" and bool(self.values.get("once"))

    @property
    def rule(self) -> Rule:
        """How rectifications are undone; other pages than Feature map and Image use deconvnet."""
        chosen = self.values.get("rule") if self.page in ("feature_map", "image") else None
        return cast("Rule", chosen or "deconvnet")

    @property
    def made(self) -> Provenance:
        """What the pictures and tables of the page are made from."""
        known = self.index.manifest if self.index else None
        return Provenance(
            network=self.network.name,
            fingerprint=known.fingerprint if known else "",
            preprocessing=known.preprocessing if known else "",
            dataset=self.dataset.name,
            resize=self.dataset.resize,
            input_size=next((one.input_size for one in self.layers.values()), INPUT_SIZE),
            rule=self.rule,
        )

    @property
    def map(self) -> int:
        """The feature map in the address."""
        return int(self.values.get("map", "0"))

    @property
    def unit(self) -> Unit:
        """The feature map in the address, with its layer."""
        return Unit(self.values["layer"], self.map)

    @property
    def sides(self) -> tuple[Choice, ...]:
        """The sides of a comparison; this choice alone if nothing is compared."""
        return (self,) if self.second is None else (self, self.second)

    @property
    def called(self) -> str:
        """What its pictures are called beside others: map, network or label; "" for neither."""
        return self.side or self.label or ""

    @property
    def rank(self) -> int:
        """The chosen tile: its place among all that are shown, from 1."""
        return int(self.values.get("rank", "1"))

    @property
    def names(self) -> dict[str, str]:
        """Address of a feature map -> the name that a person gave it, as it was typed."""
        return {str(unit): note.name for unit, note in self.named.items() if note.name}

    def name_of(self, unit: Unit) -> str:
        """The name of a feature map without hidden controls, to show as text; "" for none."""
        note = self.named.get(unit)
        return visible(note.name) if note else ""

    def title_of(self, unit: Unit) -> str:
        """For example "Feature map 171 of conv4_4 · dog mouths"."""
        name = self.name_of(unit)
        return f"Feature map {unit.channel} of {unit.layer}" + (f" · {name}" if name else "")


@dataclass(frozen=True, slots=True)
class PictureKey:
    """Everything that a reconstruction depends on.

    Attributes:
        network: fingerprint of the network.
        image: the current state of the image's file, and how it is read.
        activation: the activation that is reconstructed.
        scanned: SHA-256 that the image must have; "" accepts any content.
        rule: how rectifications are undone.
    """

    network: str
    image: ImageContent
    activation: Activation
    scanned: str
    rule: Rule = "deconvnet"


@dataclass(frozen=True)
class Pictures:
    """Reconstructions of a list of activations.

    Attributes:
        found: rank (from 1) -> reconstruction.
        missing: rank -> the error (the image is gone or was changed).
        keys: rank -> the key of the reconstruction found.
    """

    found: dict[int, Reconstruction]
    missing: dict[int, DeconvError]
    keys: dict[int, PictureKey]

    @property
    def all(self) -> list[Reconstruction]:
        """The reconstructions found, by rank."""
        return list(self.found.values())


@dataclass(frozen=True)
class Answer:
    """The top activations of one question, or some of a band, with their pictures.

    Attributes:
        label: the label that was asked for; None for all images.
        activations: the strongest first.
        pictures: the reconstructions, and why some are missing.
        approximate: True for bfloat16 values that were not checked in float32.
        tiles: (kind, rank) -> PNG bytes that are drawn in place of ``pictures``.
        copies: image id -> ids of its copies, which it stands for; None if every copy counts.
        names: address of a feature map -> its name.
        ranks: image id -> its place in the distribution; empty for the top.
        side: what it is called beside the answer of another map or network; "" for its label.
    """

    label: str | None
    activations: list[Activation]
    pictures: Pictures = field(default_factory=lambda: Pictures({}, {}, {}))
    approximate: bool = False
    tiles: Mapping[tuple[str, int], bytes] = field(default_factory=dict)
    copies: Copies = None
    names: Mapping[str, str] = field(default_factory=dict)
    ranks: Mapping[str, Rank] = field(default_factory=dict)
    side: str = ""

    @property
    def called(self) -> str:
        """What it is called beside another answer; "" for neither a side nor a label."""
        return self.side or self.label or ""

    def copies_of(self, activation: Activation) -> tuple[str, ...]:
        """The ids of the copies that an activation's image stands for."""
        return (self.copies or {}).get(activation.image_id, ())
