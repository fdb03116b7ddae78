"""Find feature maps that respond to a part, by measurement: `python -m demo.stories`.

The search uses one set of drawings, and the final score another set. Neither set was used in
training. Writes the table of the best maps (`demo/selectivity.csv`) and the stories of the guided
tour (`deconv_core/demo/stories.json`).
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deconv_core import Network, load_network
from deconv_core.whole_files import whole_file, write_whole

from .drawing import LABELS, Drawing, draw
from .selectivity import Score, feature_maps, places_of_parts, scores

SEARCH_SEED = 3_000_000
SCORE_SEED = 4_000_000
# Locations of conv1 and conv2 see at most 14 pixels, fewer than any part has.
LAYERS = tuple(f"conv{block}_{place}" for block in (3, 4, 5) for place in range(1, 5))
# Whole subjects are not parts: a map that fires on checks everywhere does not find a place.
NOT_PARTS = frozenset({"checks", "stripes", "shirt"})
HEADS = ("dog", "people")
OF_A_FACE = frozenset({"eye", "nose", "mouth", "ear", "hair", "muzzle", "brow", "beard"})
LEAST_SCORE = 0.4
LEAST_GAIN = 5.0
# A lower limit for maps that respond to one part in dogs and to another one in people.
LEAST_CROSSED_SCORE = 0.15
LEAST_CROSSED_GAIN = 10.0
MOST_STORIES = 9
TABLE_ROWS = 120

Maps = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Set:
    """Drawings and the activations they cause."""

    drawings: Sequence[Drawing]
    maps: Maps
    known: dict[tuple[int, str | None], Mapping[str, NDArray[np.int64]]] = field(
        default_factory=dict
    )

    @classmethod
    def drawn(
        cls,
        network: Network,
        per_label: int,
        first_seed: int,
        layers: Sequence[str] = LAYERS,
        labels: Sequence[str] = LABELS,
    ) -> "Set":
        """Draw a set and run the network over it."""
        drawings = [
            _with_owned_parts(draw(label, first_seed + n))
            for n in range(per_label)
            for label in labels
        ]
        return cls(drawings, feature_maps(network, drawings, layers))

    def score(self, found: Score, label: str | None = None) -> Score | None:
        """The score of the same map and part on this set."""
        return self.score_of(found.layer, found.channel, found.part, label)

    def score_of(
        self, layer: str, channel: int, part: str, label: str | None = None
    ) -> Score | None:
        """The score of one map for one part, or None if the part is not drawn."""
        return next(self.scores(layer, label, [(channel, part)]), None)

    def scores(
        self, layer: str, label: str | None = None, only: Sequence[tuple[int, str]] | None = None
    ) -> Iterator[Score]:
        """The scores of a layer's maps on this set; the parts' locations are computed once."""
        maps = self.maps[layer]
        place = maps.shape[-1], label
        if place not in self.known:
            drawings = [drawing for drawing in self.drawings if label in (None, drawing.label)]
            self.known[place] = places_of_parts(drawings, maps.shape[-1])
        yield from scores(layer, maps, self.drawings, label, only, self.known[place])


def _with_owned_parts(drawing: Drawing) -> Drawing:
    """Every part also under its owner's name: "dog/nose" beside "nose".

    A map for "dog/nose" must separate dogs' noses from everything else, also from other noses.
    """
    owned = {f"{drawing.label}/{part}": mask for part, mask in drawing.parts.items()}
    return replace(drawing, parts=drawing.parts | owned)


@dataclass(frozen=True)
class Finding:
    """A map, its part, its score in the search, and its score on the other drawings."""

    search: Score
    kept_out: Score
    label: str
    owners: int = 1

    @property
    def part(self) -> str:
        """The part without its owner."""
        return self.search.part.rpartition("/")[2]

    def good(self, least: float = LEAST_SCORE, least_gain: float = LEAST_GAIN) -> bool:
        """True if the score on the other drawings is above both thresholds."""
        gain = self.kept_out.score / max(self.kept_out.chance, 1e-9)
        return self.kept_out.score >= least and gain >= least_gain


def find(search: Set, kept_out: Set) -> list[Finding]:
    """The best map of every layer for every part, scored again, best search score first."""
    best: dict[tuple[str, str], Score] = {}
    for layer in LAYERS:
        for found in search.scores(layer):
            place = (layer, found.part)
            if found.part.rpartition("/")[2] not in NOT_PARTS and (
                place not in best or found.score > best[place].score
            ):
                best[place] = found
    findings = []
    for found in sorted(best.values(), key=lambda s: -s.score):
        again = kept_out.score(found)
        if again is not None:
            owners = len({d.label for d in search.drawings if found.part in d.parts})
            findings.append(Finding(found, again, _best_label(search, found), owners))
    return findings


def _best_label(drawn: Set, found: Score) -> str:
    """The label with the best score for the part, among the labels that have it."""
    having = sorted({d.label for d in drawn.drawings if found.part in d.parts})
    scored = [(again.score, label) for label in having if (again := drawn.score(found, label))]
    return max(scored)[1]


def find_crossed(search: Set, kept_out: Set) -> list[tuple[Finding, Finding]]:
    """Maps that respond to one part in dogs and to another one in people, best first.

    The measure of a pair is the smaller of its two search scores.
    """
    pairs = []
    for layer in LAYERS:
        best = [_best_parts(layer, search, label) for label in HEADS]
        for channel in range(search.maps[layer].shape[1]):
            dog, people = (parts.get(channel) for parts in best)
            if dog is not None and people is not None and dog.part != people.part:
                again = [
                    kept_out.score(found, label)
                    for found, label in zip((dog, people), HEADS, strict=True)
                ]
                if again[0] is not None and again[1] is not None:
                    pairs.append(
                        (Finding(dog, again[0], HEADS[0]), Finding(people, again[1], HEADS[1]))
                    )
    return sorted(pairs, key=lambda pair: -min(side.search.score for side in pair))


def _best_parts(layer: str, drawn: Set, label: str) -> dict[int, Score]:
    best: dict[int, Score] = {}
    for found in drawn.scores(layer, label):
        if found.part not in OF_A_FACE:
            continue
        if found.channel not in best or found.score > best[found.channel].score:
            best[found.channel] = found
    return best


def choose(findings: Sequence[Finding], crossed: Sequence[tuple[Finding, Finding]]) -> list[dict]:
    """Up to nine stories, best search score first; each part at most three times, each map once."""
    stories = []
    good_pairs = (
        pair
        for pair in crossed
        if all(side.good(LEAST_CROSSED_SCORE, LEAST_CROSSED_GAIN) for side in pair)
    )
    pair = next(good_pairs, None)
    if pair is not None:
        stories.append(_crossed_story(*pair))
    targets: set[str] = set()
    parts: Counter[str] = Counter()
    for finding in findings:
        target, story = finding.search.part, _story(finding)
        if "/" not in target and finding.owners == 1:
            continue  # the title names its owner
        fresh = target not in targets and story["unit"] not in {s["unit"] for s in stories}
        if finding.good() and fresh and parts[finding.part] < 3 and len(stories) < MOST_STORIES:
            targets.add(target)
            parts[finding.part] += 1
            stories.append(story)
    first, rest = stories[: pair is not None], stories[pair is not None :]
    return first + sorted(rest, key=lambda story: story["unit"])


PLURALS = {"butterfly": "butterflies", "body": "bodies"}
# Their plural is the same word.
SAME = ("people", "fish", "letters", "petals", "scales", "feathers", "whiskers", "glasses", "spots")


def _many(noun: str) -> str:
    return PLURALS.get(noun, noun if noun in (*SAME, "hair", "stripes") else f"{noun}s")


def _owners(label: str) -> str:
    many = _many(label)
    return f"{many}\u2019" if many.endswith("s") else f"{many}\u2019s"


def _story(finding: Finding) -> dict:
    score, unit = finding.kept_out, f"{finding.search.layer}/{finding.search.channel}"
    many = "letters O" if finding.part == "o" else _many(finding.part)
    owned = "/" in score.part and finding.part != "o"
    title = f"{_owners(finding.label)} {many}" if owned else many
    return {
        "unit": unit,
        "part": score.part,
        "title": title[0].upper() + title[1:],
        "labels": [finding.label],
        "score": round(score.score, 4),
        "chance": round(score.chance, 5),
    }


def _crossed_story(dog: Finding, people: Finding) -> dict:
    here, there = dog.kept_out, people.kept_out
    return {
        "unit": f"{here.layer}/{here.channel}",
        "part": here.part,
        "title": f"Dog {_many(here.part)}, people’s {_many(there.part)}",
        "labels": list(HEADS),
        "score": round(here.score, 4),
        "chance": round(here.chance, 5),
        "other_part": there.part,
        "other_score": round(there.score, 4),
        "other_chance": round(there.chance, 5),
    }


def write_table(path: Path, findings: Sequence[Finding]) -> None:
    """The best maps as CSV."""
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["layer", "map", "part", "best_label", "search_score", "kept_out_score", "chance"]
        )
        for finding in findings[:TABLE_ROWS]:
            seen, again = finding.search, finding.kept_out
            writer.writerow(
                [seen.layer, seen.channel, seen.part, finding.label]
                + [f"{seen.score:.4f}", f"{again.score:.4f}", f"{again.chance:.5f}"]
            )


def main() -> None:
    """Search, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--per-label", type=int, default=16, help="drawings a label in each set")
    parser.add_argument("--network", default="demo")
    parser.add_argument("--table", type=Path, default=Path("demo/selectivity.csv"))
    parser.add_argument("--stories", type=Path, default=Path("deconv_core/demo/stories.json"))
    options = parser.parse_args()
    network = load_network(options.network)
    search = Set.drawn(network, options.per_label, SEARCH_SEED)
    kept_out = Set.drawn(network, options.per_label, SCORE_SEED)
    findings = find(search, kept_out)
    write_table(options.table, findings)
    stories = choose(findings, find_crossed(search, kept_out))
    content = json.dumps(stories, indent=1, ensure_ascii=False) + "\n"
    write_whole(options.stories, content.encode())
    for story in stories:
        print(story)


if __name__ == "__main__":
    main()
