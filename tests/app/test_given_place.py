"""`deconvnet PLACE`: what the dashboard shows first for a folder, a scan or an index."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from deconv_core.errors import DeconvError
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.index.folder import IndexFolder
from deconv_core.index.inspection import check_index
from deconv_dashboard.data.given_place import network_named, view_of
from deconv_dashboard.data.registry import RANDOM, VGG19, Registry
from deconv_dashboard.first_view import FirstView, first_view, tell_server
from deconv_dashboard.folder_rules import FolderRules
from tests.app.conftest import APP, Home, address, key_now, words
from tests.core import drawings


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    pictures = {"dog/a.png": drawings.noise(1, 16), "cat/b.png": drawings.noise(2, 16)}
    return drawings.save(tmp_path / "photos", pictures)


@pytest.fixture
def elsewhere(index: ActivationIndex, tmp_path: Path) -> Path:
    """An index that is not in the data folder."""
    return Path(shutil.copytree(index._folder.path, tmp_path / "elsewhere"))


# -- the place -----------------------------------------------------------------------------------


def test_a_folder_that_is_not_scanned_is_offered(home: Home, photos: Path) -> None:
    assert view_of(home.registry, str(photos)) == FirstView(folder=str(photos))
    seen = view_of(home.registry, f"file://{photos}", "vgg19")
    assert seen == FirstView(network="vgg19", folder=str(photos))
    assert len(home.registry.datasets()) == 2, "nothing is registered before the person says so"


def test_a_relative_folder(home: Home, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos.parent)
    assert view_of(home.registry, "photos/").folder == str(photos)


def test_a_scanned_folder_is_shown(home: Home) -> None:
    root = home.dataset.root
    scanned = FirstView(home.network.network_id, home.dataset.dataset_id)
    assert view_of(home.registry, str(root)) == scanned
    assert view_of(home.registry, str(root), home.network.source) == scanned
    by_another = view_of(home.registry, str(root), "random")
    assert by_another == FirstView(network="random", folder=str(root))


@pytest.mark.parametrize(
    ("source", "network_id"),
    [("demo", "demo"), ("vgg19", VGG19.network_id), ("vgg19:random", RANDOM.network_id)],
)
def test_networks_by_name(home: Home, source: str, network_id: str) -> None:
    assert network_named(home.registry, source).network_id == network_id


def test_another_classifier_and_a_file(home: Home) -> None:
    for source in ("resnet50", "resnet50:random", home.network.source):
        found = network_named(home.registry, source)
        assert found.source == source
        assert found in home.registry.networks()


@pytest.mark.parametrize(
    ("place", "source", "said"),
    [
        ("nothing/here", None, "nothing/here is not a folder; give the path of a folder"),
        ("s3://bucket/photos", None, "`deconvnet scan` and `deconvnet top` can read it"),
        ("photos/dog/a.png", None, "is not a folder but a file; give its folder"),
        ("photos", "vgg7", "the network 'vgg7' is not known; give demo, random"),
        ("photos", "resnet50:IMAGENET1K_V9", "is not known; give demo"),
        ("photos", "nothing.pth", "there is no file"),
        ("photos", "photos", "is a folder; choose a file that ends in"),
    ],
)
def test_what_cannot_be_opened(
    home: Home,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    source: str | None,
    said: str,
) -> None:
    monkeypatch.chdir(photos.parent)
    with pytest.raises(DeconvError) as raised:
        view_of(home.registry, place, source)
    assert said in str(raised.value)


def test_a_folder_that_this_server_may_not_open(home: Home, photos: Path, tmp_path: Path) -> None:
    registry = Registry(home.registry.home, FolderRules((tmp_path / "offered",)))
    with pytest.raises(DeconvError, match="outside the folders this server offers"):
        view_of(registry, str(photos))


# -- an index ------------------------------------------------------------------------------------


def test_an_index_is_shown_where_it_is(home: Home, elsewhere: Path) -> None:
    seen = view_of(home.registry, str(elsewhere), home.network.source)
    dataset = home.registry.dataset(seen.dataset)
    made = ActivationIndex.open(elsewhere).manifest
    assert str(dataset.root) == made.image_root
    assert (dataset.extensions, dataset.labels, dataset.resize) == (
        made.extensions,
        made.labels,
        made.resize,
    )
    path = home.registry.index_path(dataset, home.registry.network(seen.network))
    assert path.resolve() == elsewhere.resolve()
    assert view_of(home.registry, str(elsewhere), home.network.source) == seen, "as often as wanted"
    assert not check_index(path)

    home.registry.delete_index(path)
    assert not os.path.lexists(path)
    assert not check_index(elsewhere), "only the link is deleted"


def test_another_index_of_the_same_images(home: Home, elsewhere: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(elsewhere, tmp_path / "other"))
    seen = [view_of(home.registry, str(place), home.network.source) for place in (elsewhere, other)]
    assert seen[0] == seen[1]
    dataset = home.registry.dataset(seen[1].dataset)
    path = home.registry.index_path(dataset, home.registry.network(seen[1].network))
    assert path.resolve() == other.resolve()
    assert not check_index(elsewhere)


def test_a_scan_of_the_dashboard_is_not_replaced(home: Home, elsewhere: Path) -> None:
    network = home.registry.add_weights(home.network.source, "torchvision")
    own = shutil.copytree(home.index_path, home.registry.index_path(home.dataset, network))
    with pytest.raises(DeconvError, match="its own scan of these images by this network"):
        view_of(home.registry, str(elsewhere), home.network.source)
    assert not own.is_symlink()
    assert not check_index(own)


def test_without_links_the_index_is_copied(
    home: Home, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refused)
    seen = view_of(home.registry, str(elsewhere), home.network.source)
    dataset = home.registry.dataset(seen.dataset)
    path = home.registry.index_path(dataset, home.registry.network(seen.network))
    assert path.resolve() != elsewhere.resolve()
    assert not check_index(path)


def test_an_index_of_a_network_that_is_not_here(home: Home, elsewhere: Path) -> None:
    with pytest.raises(DeconvError, match="is not here; give its weight file with --network"):
        view_of(home.registry, str(elsewhere))


def test_an_index_whose_images_have_moved_asks_for_them(
    home: Home, elsewhere: Path, tmp_path: Path
) -> None:
    folder = IndexFolder(elsewhere)
    folder.write_manifest(replace(folder.read_manifest(), image_root=str(tmp_path / "gone")))
    seen = view_of(home.registry, str(elsewhere), home.network.source)
    app = opened(dataset=seen.dataset, network=seen.network)
    assert "The folder of gone is not where it was" in words(app)


# -- the first page ------------------------------------------------------------------------------


def opened(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=240)
    for name, text in parameters.items():
        app.query_params[name] = text
    app.run()
    assert not app.exception, app.exception
    return app


def typed(app: AppTest) -> str:
    return str(app.text_input(key=key_now(app, "folder_path")).value)


@pytest.mark.parametrize("folder", ["/photos/ä & b=c?#%20", "C:\\photos", "/\udcff/latin", ""])
def test_the_server_gets_every_path_whole(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECONV_FIRST_VIEW", "")
    assert first_view() == FirstView()
    view = FirstView("vgg19", "1f2e3d4c", folder)
    tell_server(view)
    assert os.environ["DECONV_FIRST_VIEW"].isascii()
    assert first_view() == view
    assert view.query == "?network=vgg19&dataset=1f2e3d4c", "the address has no path"


@pytest.fixture
def given(home: Home, photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DECONV_FIRST_VIEW", "")
    tell_server(FirstView(folder=str(photos)))
    return photos


def test_start_offers_to_scan_it(given: Path) -> None:
    app = opened(network="random")
    assert typed(app) == str(given)
    assert "**2 images** · 2 labels" in words(app)
    assert app.button(key="use_and_scan").label == "Scan 2 images"
    assert str(given) not in str(address(app))


def test_who_goes_back_is_not_asked_again(given: Path) -> None:
    app = opened()
    app.button(key="stop_choosing").click().run()
    assert typed(app) == ""
    app.run()
    assert typed(app) == ""


def test_a_link_to_a_dataset_shows_that_dataset(home: Home, given: Path) -> None:
    app = opened(**home.names)
    assert typed(app) == ""
    assert address(app)["dataset"] == home.dataset.dataset_id


@pytest.mark.parametrize("offered", ["photos", "other"])
def test_a_server_for_others_keeps_its_rules(
    given: Path, monkeypatch: pytest.MonkeyPatch, offered: str
) -> None:
    monkeypatch.setenv("DECONV_FOLDERS", str(given.with_name(offered)))
    monkeypatch.setattr("deconv_dashboard.server.serving._LOOPBACK", ())
    app = opened()
    assert typed(app) == ("photos" if offered == "photos" else "")
    assert str(given) not in words(app)
