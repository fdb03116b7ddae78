"""If a scan cannot resume an index, the page offers a remedy, and the remedy works."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.folder import IndexFolder
from deconv_core.index.manifest import digest
from deconv_core.index.new_index import new_index
from deconv_core.network.sources import save_features
from deconv_core.scanning.scan import scan
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.queue.state import JobState
from tests.app.conftest import Home, OpenPage, words
from tests.app.test_jobs import ended
from tests.app.test_start import pressed, start
from tests.core import drawings
from tests.core.networks import narrow_network


class Pair:
    """A dataset and weights of its own, scanned."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.registry: Registry = home.registry
        self.root = drawings.save(
            folder / "shelf", {f"{n}.png": drawings.noise(n, 16) for n in range(3)}
        )
        self.weights = folder / "mine.safetensors"
        save_features(narrow_network(), self.weights)
        self.dataset: Dataset = home.registry.add_folder(self.root)
        self.network: NetworkChoice = home.registry.add_weights(self.weights)
        self.path = home.registry.index_path(self.dataset, self.network)
        scan(narrow_network(), ImageFolder(self.root), self.path)
        self.names = {"network": self.network.network_id, "dataset": self.dataset.dataset_id}

    def manifest(self, change: Callable[[dict[str, object]], object]) -> None:
        """Change the manifest, and correct its checksum."""
        file = self.path / "manifest.json"
        content = json.loads(file.read_text("utf-8"))
        content.pop("checksum")
        change(content)
        file.write_text(json.dumps({**content, "checksum": digest(content)}), "utf-8")


@pytest.fixture
def pair(home: Home, tmp_path: Path) -> Pair:
    return Pair(home, tmp_path)


def other_weights(pair: Pair) -> None:
    save_features(narrow_network(seed=5), pair.weights)


def other_torch(pair: Pair) -> None:
    pair.manifest(lambda content: content["compute"].update(torch_version="0.1"))  # type: ignore[attr-defined]


def other_resize(pair: Pair) -> None:
    pair.manifest(lambda content: content.update(resize="crop"))


def older_format(pair: Pair) -> None:
    pair.manifest(lambda content: content.update(format_version=1))


def other_decoding(pair: Pair) -> None:
    pair.manifest(lambda content: content.update(decoding="0"))


def other_device(pair: Pair) -> None:
    pair.manifest(lambda content: content["compute"].update(device="mps"))  # type: ignore[attr-defined]
    drawings.save(pair.root, {"4.png": drawings.noise(4, 16)})  # without it there is nothing to do


def beyond_repair(pair: Pair) -> None:
    """Delete the manifest, and the weights that are needed to make it again."""
    (pair.path / "manifest.json").write_text("{", "utf-8")
    other_weights(pair)


DEAD_ENDS = [
    *(other_weights, other_torch, other_resize, older_format, other_decoding, other_device),
    beyond_repair,
]


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


@pytest.mark.parametrize("harm", DEAD_ENDS, ids=lambda harm: harm.__name__)
def test_start_offers_a_scan_anew(pair: Pair, harm: Callable[[Pair], None]) -> None:
    harm(pair)
    app = start(**pair.names)
    if "Scan anew" not in [button.label for button in app.button if button.key == "start_scan"]:
        pressed(app, "repair_index" if "repair_index" in keys(app) else "update_scan")
        assert ended(pair.registry, pair.path).status == "failed"
        app.run()
        assert not app.exception
    (button,) = [button for button in app.button if button.key == "start_scan"]
    assert button.label == "Scan anew", words(app)
    pressed(app, "start_scan")
    state = ended(pair.registry, pair.path)
    assert state.status == "done", state.message
    index = ActivationIndex.open(pair.path)
    assert len(index.images) == len(ImageFolder(pair.root))
    assert index.manifest.resize == "stretch"
    assert not new_index(pair.path).exists()
    app.run()
    assert not app.exception
    assert f"{len(index.images)} images scanned" in words(app)
    assert not list(pair.path.parent.glob(f".{pair.path.name}.*"))


def test_the_one_before_is_shown_until_the_new_one_is_done(pair: Pair) -> None:
    other_weights(pair)
    before = ActivationIndex.open(pair.path).manifest.fingerprint
    half_scanned(pair)
    app = start(**pair.names)
    assert "The new scan is paused at" in words(app)
    assert ActivationIndex.open(pair.path).manifest.fingerprint == before
    assert list(pair.registry.index_paths(pair.dataset)) == [pair.network.network_id]
    pressed(app, "start_scan")
    assert ended(pair.registry, pair.path).status == "done"
    now = ActivationIndex.open(pair.path).manifest.fingerprint
    assert now == narrow_network(seed=5).fingerprint != before


def half_scanned(pair: Pair) -> None:
    """A new scan that was stopped: one block of three."""
    stop: list[object] = []
    half = scan(
        narrow_network(seed=5),
        ImageFolder(pair.root),
        new_index(pair.path),
        block_size=1,
        progress=lambda now: stop.append(now) if now.done else None,
        cancel=Stopped(stop),
    )
    assert not half.complete


class Stopped:
    """Set as soon as the job reports progress."""

    def __init__(self, told: list[object]) -> None:
        self._told = told

    def is_set(self) -> bool:
        return bool(self._told)


def test_the_new_scan_can_be_dropped_and_the_old_one_deleted(pair: Pair) -> None:
    other_torch(pair)
    half_scanned(pair)
    app = start(**pair.names)
    pressed(app, "drop_new_scan")
    assert not new_index(pair.path).exists()
    assert pair.path.exists()
    pressed(app, "update_scan")
    ended(pair.registry, pair.path)
    app.run()
    pressed(app, "delete_old")
    assert not pair.path.exists()
    app.run()
    assert "Not scanned yet" in words(app)


KILLED = {
    "before the first rename": ("{path}", "{path}.anew"),
    "between the two renames": (".{path}.0123456789abcdef.deleted", "{path}.anew"),
    "before what was there is deleted": (".{path}.0123456789abcdef.deleted", "{path}"),
}


@pytest.mark.parametrize("moment", KILLED)
@pytest.mark.parametrize("shown", ["the same", "another"])
def test_what_was_killed_while_the_new_one_took_its_place_is_put_right(
    pair: Pair, open_page: OpenPage, moment: str, shown: str
) -> None:
    """At the next start of a server, whichever page is opened first."""
    old = pair.path.rename(pair.path.with_name("old"))
    other_weights(pair)
    new = pair.path.with_name("new")
    made = scan(narrow_network(seed=5), ImageFolder(pair.root), new).manifest
    for source, target in zip((old, new), KILLED[moment], strict=True):
        source.rename(pair.path.with_name(target.format(path=pair.path.name)))
    app = open_page("layer", **(pair.names if shown == "the same" else {}))
    assert not app.exception
    assert ActivationIndex.open(pair.path).manifest == made
    assert not list(pair.path.parent.glob("*.anew"))
    assert not list(pair.path.parent.glob(".*"))
    if shown == "the same":
        assert "with other weights" not in words(app)


def test_a_new_index_is_left_alone_while_its_scan_is_at_work(
    pair: Pair, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pair.path, new_index(pair.path))
    monkeypatch.setattr(
        "deconv_dashboard.queue.queue.JobQueue.find",
        lambda self, key: JobState("running", "scan", key),
    )
    open_page("layer", **pair.names)
    assert new_index(pair.path).exists()


@pytest.mark.parametrize("page", ["layer", "feature_map"])
def test_pages_offer_it_where_they_say_it(pair: Pair, open_page: OpenPage, page: str) -> None:
    other_weights(pair)
    app = open_page(page, **pair.names, layer="conv2_1", map="0")
    assert "with other weights" in words(app)
    pressed(app, "anew_trouble")
    assert ended(pair.registry, pair.path).status == "done"
    app.run()
    assert not app.exception
    assert "with other weights" not in words(app)


@pytest.mark.parametrize("page", ["layer", "feature_map", "export"])
def test_an_index_of_an_older_format(pair: Pair, open_page: OpenPage, page: str) -> None:
    older_format(pair)
    app = open_page(page, **pair.names)
    pressed(app, "anew_unread")
    assert ended(pair.registry, pair.path).status == "done"


def test_images_that_changed_are_updated_where_it_is_said(pair: Pair, open_page: OpenPage) -> None:
    drawings.save(pair.root, {"1.png": drawings.noise(9, 7), "4.png": drawings.noise(4, 16)})
    app = open_page("layer", **pair.names, layer="conv2_1")
    assert "changed since the scan" in words(app) + " ".join(e.label for e in app.expander)
    (key,) = [key for key in keys(app) if str(key).startswith("update_")]
    pressed(app, str(key))
    assert ended(pair.registry, pair.path).status == "done"
    assert len(ActivationIndex.open(pair.path).images) == 4
    app.run()
    assert "changed since the scan" not in words(app)


def test_a_resumed_scan_of_other_images_is_an_update(pair: Pair) -> None:
    folder = IndexFolder(pair.path)
    manifest = folder.read_manifest()
    pair.manifest(lambda content: content.update(complete=False, summary=""))
    assert not folder.read_manifest().complete
    assert manifest.complete
    (pair.root / "0.png").unlink()
    app = start(**pair.names)
    pressed(app, "start_scan")
    state = ended(pair.registry, pair.path)
    assert state.error == "IndexOutdatedError"
    app.run()
    (button,) = [button for button in app.button if button.key == "start_scan"]
    assert button.label == "Update and resume"
    pressed(app, "start_scan")
    assert ended(pair.registry, pair.path).status == "done"
