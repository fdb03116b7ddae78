import time
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.frame.job_words import progress_text
from deconv_dashboard.jobs.scans import scan_state, start_scan
from deconv_dashboard.queue.state import Progress
from deconv_dashboard.wording import counted
from tests.app.conftest import APP, Home, OpenPage, address, key_now, words
from tests.app.test_jobs import ended
from tests.core import drawings
from tests.core.weight_writers import features


def start(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=240)
    for name, text in parameters.items():
        app.query_params[name] = text
    app.run()
    assert not app.exception, app.exception
    return app


def pressed(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception, app.exception
    return app


def keys(app: AppTest) -> list[str | None]:
    return [button.key for button in app.button]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A data folder in which nothing has happened yet."""
    monkeypatch.setenv("DECONV_HOME", str(tmp_path / "empty"))
    return Registry(tmp_path / "empty")


def test_opens_with_nothing_at_all(empty: Registry) -> None:
    app = start()
    assert app.text_input(key="folder_path").value == ""
    assert not list(empty.home.rglob("*.job.json"))


def test_scanned_images_show_what_a_layer_sees(home: Home, images: ImageFolder) -> None:
    app = start(**home.names)
    assert "What does a feature map look for?" in words(app)
    assert f"**{len(images)} images scanned**" in words(app)
    assert not app.error


def test_another_depth(home: Home) -> None:
    app = start(**home.names)
    app.segmented_control(key="start_layer").set_value("conv2_2").run()
    assert not app.exception
    assert "activate conv2_2 most" in words(app)


def test_a_folder_is_previewed_narrowed_and_scanned(
    home: Home, images: ImageFolder, tmp_path: Path
) -> None:
    app = start(**home.names)
    app.text_input(key="folder_path").input(str(images.root)).run()
    assert f"**{len(images)} images** · {len(images.labels)} labels" in words(app)
    app.multiselect(key="labels").set_value(["dog"]).run()
    count = images.labels["dog"]
    assert f"Scan {count} images" in [button.label for button in app.button]
    pressed(app, "use_and_scan")
    dataset = home.registry.dataset(address(app)["dataset"])
    assert dataset.labels == ("dog",)
    state = ended(home.registry, home.registry.index_path(dataset, home.network))
    assert (state.status, state.progress.total) == ("done", count)


def test_while_a_folder_is_chosen_the_page_belongs_to_that(home: Home, images: ImageFolder) -> None:
    app = start(**home.names)
    app.text_input(key="folder_path").input(str(images.root)).run()
    assert "What does a feature map look for?" not in words(app)
    assert "start_layer" not in [group.key for group in app.button_group]
    pressed(app, "stop_choosing")
    assert app.text_input(key=key_now(app, "folder_path")).value == ""
    assert "What does a feature map look for?" in words(app)


def test_the_demo_network_says_what_it_learnt_from(empty: Registry, images: ImageFolder) -> None:
    app = start()
    app.text_input(key="folder_path").input(str(images.root)).run()
    assert "trained on drawings" in words(app)


def test_choosing_without_scanning(home: Home, images: ImageFolder) -> None:
    app = start(**home.names)
    app.text_input(key="folder_path").input(str(images.root / "dog")).run()
    pressed(app, "use_only")
    dataset = home.registry.dataset(address(app)["dataset"])
    assert (dataset.root, dataset.kind) == (images.root / "dog", "folder")
    path = home.registry.index_path(dataset, home.network)
    assert scan_state(home.registry, path).status == "none"
    assert "Not scanned yet" in words(app)
    assert app.text_input(key=key_now(app, "folder_path")).value == ""


def test_unreadable_and_other_files_are_named(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "broken.png").write_bytes(b"not a picture")
    (folder / "notes.txt").write_text("x")
    app = start(**home.names)
    app.text_input(key="folder_path").input(str(folder)).run()
    assert "1 .txt" in words(app)
    assert [expander.label for expander in app.expander] == ["1 file with a problem"]


@pytest.mark.parametrize("typed", ["/nowhere/at/all", "relative", "\0", "/" + "n" * 300])
def test_no_such_folder(home: Home, typed: str) -> None:
    app = start(**home.names)
    app.text_input(key="folder_path").input(typed).run()
    assert not app.exception
    assert "is not a folder" in words(app)


def test_a_folder_without_pictures(home: Home, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    app = start(**home.names)
    app.text_input(key="folder_path").input(str(tmp_path / "texts")).run()
    assert "There are no pictures in" in words(app)
    assert "1 .txt" in words(app)


def test_folders_and_paths_are_hidden_where_others_can_look(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deconv_dashboard.server.serving._LOOPBACK", ())
    app = start(**home.names)
    assert "folder_path" not in [field.key for field in app.text_input]
    assert str(home.dataset.root) not in words(app)


def test_the_weights_of_vgg19_are_downloaded_only_by_pressing(
    home: Home, images: ImageFolder
) -> None:
    app = start(network="vgg19", dataset=home.dataset.dataset_id)
    label = f"Download VGG19 (575 MB) and scan {len(images)} images"
    assert label in [button.label for button in app.button]
    assert not list(home.registry.home.rglob("*.job.json"))


def test_a_scan_that_failed_says_why_and_can_be_tried_again(home: Home, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights")
    network = home.registry.add_weights(broken)
    app = start(network=network.network_id, dataset=home.dataset.dataset_id)
    pressed(app, "start_scan")
    ended(home.registry, home.registry.index_path(home.dataset, network))
    app.run()
    assert "**The scan failed**" in words(app)
    assert "broken.safetensors" in words(app)
    assert "start_scan" in keys(app)


def test_a_folder_that_was_moved(home: Home, images: ImageFolder, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    dataset = home.registry.add_folder(gone)
    gone.rmdir()
    app = start(network=home.network.network_id, dataset=dataset.dataset_id)
    assert "The folder of gone is not where it was. Put it back" in words(app)


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress("Starting"), "Starting"),
        (
            Progress("Downloading weights", 10**8, 548 * 10**6, "byte"),
            "Downloading weights: 100 MB of 548 MB",
        ),
        (
            Progress("", 640, 5000, "image", 32, 2, 12.34, 353.0),
            "640 of 5,000 images · 12.3 images/s · 6 min left · 32 done before · 2 not readable",
        ),
    ],
)
def test_progress_in_words(progress: Progress, text: str) -> None:
    assert progress_text(progress) == text


def tab(app: AppTest, name: str) -> AppTest:
    app.session_state["start_tab"] = name
    app.run()
    assert not app.exception, app.exception
    return app


def test_datasets_and_scans_are_listed_with_their_sizes(home: Home, images: ImageFolder) -> None:
    app = tab(start(**home.names), "Datasets and scans")
    said = words(app)
    assert "my drawings" in said
    assert f"{home.network.name}: {len(images)} images, " in said
    assert str(home.registry.home) in said


def test_a_dataset_is_renamed(home: Home) -> None:
    app = tab(start(**home.names), "Datasets and scans")
    field = f"name {home.dataset.dataset_id}"
    app.text_input(key=field).input("zoo").run()
    assert home.registry.dataset(home.dataset.dataset_id).name == "zoo"
    assert "**zoo**" in words(app)
    app.text_input(key=field).input("   ").run()
    assert "The name stays: a name has 1 to 80 characters" in words(app)
    assert home.registry.dataset(home.dataset.dataset_id).name == "zoo"


def test_a_weight_file_is_checked_before_it_is_added(home: Home, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no weights")
    app = tab(start(**home.names), "Networks")
    before = home.registry.networks()
    for typed in (str(broken), str(tmp_path / "none.pth"), str(tmp_path)):
        app.text_input(key="weights_path").input(typed)
        app.button(key="weights_add").click().run()
        assert not app.exception
        assert app.error, typed
    assert home.registry.networks() == before


def test_a_weight_file_is_added_and_chosen(home: Home, weight_file: Path) -> None:
    app = tab(start(**home.names), "Networks")
    app.text_input(key="weights_path").input(str(weight_file))
    app.selectbox(key="weights_preprocessing").set_value("caffe")
    app.button(key="weights_add").click().run()
    assert not app.exception
    network = home.registry.network(address(app)["network"])
    assert network.preprocessing == "caffe"


def test_weights_that_may_be_caffes_are_asked_about_and_used_only_then(
    home: Home, tmp_path: Path
) -> None:
    path = tmp_path / "vgg19-d01eb7cb.pth"
    torch.save(features(), path)
    app, before = tab(start(**home.names), "Networks"), home.registry.networks()
    app.text_input(key="weights_path").input(str(path))
    app.button(key="weights_add").click().run()
    assert not app.exception
    assert home.registry.networks() == before
    assert "Which preprocessing does vgg19-d01eb7cb.pth expect?" in words(app)
    assert "“d01eb7cb” in the file's name belongs to Caffe's VGG19" in words(app)
    answer = app.radio(key="weights_answer")
    assert answer.value is None
    assert answer.options[0] == "caffe (BGR, 0 to 255, mean subtracted): suggested"
    assert app.button(key="weights_answered").disabled
    app.radio(key="weights_answer").set_value("caffe").run()
    app.button(key="weights_answered").click().run()
    assert not app.exception
    network = home.registry.network(address(app)["network"])
    assert network.preprocessing == "caffe"
    app = tab(app, "Networks")
    said = words(app)
    assert "caffe (BGR, 0 to 255, mean subtracted), because it was chosen for these" in said
    assert "because the demo network was trained with it" in said
    assert "because the weights are torchvision's own" in said
    assert "weights_answer" not in {radio.key for radio in app.radio}


def test_the_question_about_weights_can_be_left(home: Home, tmp_path: Path) -> None:
    torch.save(features(), tmp_path / "caffe.pth")
    app, before = tab(start(**home.names), "Networks"), home.registry.networks()
    app.text_input(key="weights_path").input(str(tmp_path / "caffe.pth"))
    app.button(key="weights_add").click().run()
    app.button(key="weights_dropped").click().run()
    assert "Which preprocessing does" not in words(app)
    assert home.registry.networks() == before


def test_a_scan_in_which_many_maps_are_dead_says_so(
    home: Home, open_page: OpenPage, tmp_path: Path
) -> None:
    state = features()
    state["features.10.weight"][:3], state["features.10.bias"][:3] = 0.0, -1.0  # conv3_1: 3 of 6
    state["features.10.bias"][3:] = 0.5
    torch.save(state, tmp_path / "mine.pth")
    network = home.registry.add_weights(tmp_path / "mine.pth")
    pictures = {f"{n}.png": drawings.noise(n, 16) for n in range(3)}
    dataset = home.registry.add_folder(drawings.save(tmp_path / "three", pictures))
    start_scan(home.registry, dataset, network)
    assert ended(home.registry, home.registry.index_path(dataset, network)).status == "done"
    names = {"network": network.network_id, "dataset": dataset.dataset_id}
    told = "More than a quarter of the feature maps of conv3_1 (3 of 6)"
    assert told in words(start(**names))
    assert "Likely reasons: the weights expect another preprocessing than torchvision" in words(
        start(**names)
    )
    assert told in words(open_page("layer", layer="conv3_1", **names))
    assert "More than a quarter" not in words(open_page("layer", layer="conv3_2", **names))
    assert "More than a quarter" not in words(start(**home.names))


def test_images_that_changed_are_offered_as_an_update(home: Home, tmp_path: Path) -> None:
    folder = drawings.save(tmp_path / "two", {f"{n}.png": drawings.noise(n, 16) for n in (1, 2)})
    dataset = home.registry.add_folder(folder)
    start_scan(home.registry, dataset, home.network)
    path = home.registry.index_path(dataset, home.network)
    assert ended(home.registry, path).status == "done"
    drawings.save(folder, {"1.png": drawings.noise(9, 16), "3.png": drawings.noise(3, 16)})
    app = start(network=home.network.network_id, dataset=dataset.dataset_id)
    assert "1 image added since this scan" in words(app)
    pressed(app, "update_scan")
    assert ended(home.registry, path).progress.total == 3
    assert len(ActivationIndex.open(path).images) == 3
    app.run()
    assert "Nothing changed" not in words(app)


def test_an_update_that_finds_nothing_says_so(home: Home, tmp_path: Path) -> None:
    folder = drawings.save(tmp_path / "two", {f"{n}.png": drawings.noise(n, 16) for n in (1, 2)})
    dataset = home.registry.add_folder(folder)
    start_scan(home.registry, dataset, home.network)
    path = home.registry.index_path(dataset, home.network)
    assert ended(home.registry, path).status == "done"
    names = {"network": home.network.network_id, "dataset": dataset.dataset_id}
    app = start(**names)
    assert "Nothing changed" not in words(app)
    pressed(app, "update_scan")
    assert ended(home.registry, path).status == "done"
    app.run()
    assert "Nothing changed since the last scan" in words(app)
    assert "Nothing changed" not in words(start(**names)), "only who asked is told"
    (folder / "1.png").unlink()
    pressed(app, "update_scan")
    assert ended(home.registry, path).progress.total == 1
    app.run()
    assert "Nothing changed" not in words(app)


@pytest.mark.parametrize(
    "written", ["'{}'", '"{}" ', "file://{}", "  {}/", "file://localhost{}", "“{}”"]
)
def test_a_pasted_path_is_understood_and_shown(
    home: Home, images: ImageFolder, written: str
) -> None:
    app = start(**home.names)
    app.text_input(key="folder_path").input(written.format(images.root)).run()
    assert f"**{len(images)} images**" in words(app)
    assert f":material/folder: {images.root}" in words(app)


def test_a_relative_path_is_meant_from_home_and_shown_whole(
    home: Home, images: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(images.root.parent))
    app = start(**home.names)
    app.text_input(key="folder_path").input(images.root.name).run()
    assert f"**{len(images)} images**" in words(app)
    assert f":material/folder: {images.root}" in words(app)


def test_a_file_in_place_of_a_folder_offers_its_folder(home: Home, images: ImageFolder) -> None:
    app = start(**home.names)
    app.text_input(key="folder_path").input(f"file://{images[0].path}").run()
    assert "is not a folder but a file" in words(app)
    pressed(app, "use_its_folder")
    assert app.text_input(key=key_now(app, "folder_path")).value == str(images[0].path.parent)
    assert "but a file" not in words(app)
    count = len(ImageFolder(images[0].path.parent))
    assert f"**{count} image" in words(app)


def test_a_folder_in_place_of_a_weight_file_is_called_one(home: Home, tmp_path: Path) -> None:
    app = tab(start(**home.names), "Networks")
    app.text_input(key="weights_path").input(f"'{tmp_path}'")
    app.button(key="weights_add").click().run()
    assert f"{tmp_path} is a folder; choose a file that ends in .pth" in words(app)


# -- folders that change -------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two class folders with one picture each."""
    pictures = {f"{label}/1.png": drawings.noise(n, 16) for n, label in enumerate(("cat", "dog"))}
    return drawings.save(tmp_path / "two", pictures)


def typed(app: AppTest, text: str) -> str:
    """What the page says once a folder was typed."""
    app.text_input(key="folder_path").input(text).run()
    assert not app.exception, app.exception
    return words(app)


def test_a_class_folder_that_changes_is_seen_by_preview_page_and_update(
    home: Home, two: Path
) -> None:
    app = start(**home.names)
    assert "**2 images** · 2 labels" in typed(app, str(two))
    pressed(app, "use_and_scan")
    dataset = home.registry.dataset(address(app)["dataset"])
    path = home.registry.index_path(dataset, home.network)
    assert ended(home.registry, path).progress.total == 2

    def updated(said: str, total: int) -> None:
        until = time.monotonic() + 60  # after a slow look at a folder the next waits up to 5 s
        while f"{said} since this scan" not in words(app.run()):
            assert time.monotonic() < until, words(app)
        fresh = start(network=home.network.network_id)
        assert f"**{counted(total, 'image')}**" in typed(fresh, str(two))
        pressed(app, "update_scan")
        assert ended(home.registry, path).progress.total == total
        assert f"{counted(total, 'image')} scanned" in words(app.run())
        assert "since this scan" not in words(app)
        assert "gone or changed" not in words(app)

    drawings.save(two, {"dog/2.png": drawings.noise(5, 16)})
    updated("1 image added", 3)
    (two / "dog/1.png").unlink()
    updated("1 image removed", 2)
    (two / "cat").rename(two / "lion")
    updated("1 image added and 1 image removed", 2)
    assert ActivationIndex.open(path).labels == {"dog": 1, "lion": 1}


def test_a_picture_replaced_under_its_name_is_new_in_the_preview(home: Home, two: Path) -> None:
    app = start(**home.names)
    typed(app, str(two))
    before = app.session_state["previews"]
    kept = [thumb.jpeg for thumb in next(iter(before.values())).thumbnails]
    drawings.save(two, {"dog/1.png": drawings.noise(7, 40)})
    app.run()
    now = [thumb.jpeg for thumb in list(app.session_state["previews"].values())[-1].thumbnails]
    assert now[0] == kept[0]
    assert now[1] != kept[1]


# -- what a listing skips ------------------------------------------------------------------------


@pytest.fixture
def linked(home: Home, two: Path, tmp_path: Path) -> Path:
    """A folder whose class folders are all links."""
    folder = tmp_path / "all links"
    folder.mkdir()
    for name in ("cat", "dog"):
        (folder / name).symlink_to(two / name, target_is_directory=True)
    return folder


def test_folders_that_are_links_are_named_and_can_be_followed(home: Home, linked: Path) -> None:
    app = start(**home.names)
    said = typed(app, str(linked))
    assert "There are no pictures in" in said
    assert "Skipped: 2 links to folders." in said
    assert app.checkbox(key="follow_links").label == "Follow 2 links to folders"
    app.checkbox(key="follow_links").check().run()
    assert "**2 images** · 2 labels · No other files." in words(app)
    pressed(app, "use_and_scan")
    dataset = home.registry.dataset(address(app)["dataset"])
    assert dataset.follow_links
    path = home.registry.index_path(dataset, home.network)
    assert ended(home.registry, path).status == "done"
    assert ActivationIndex.open(path).labels == {"cat": 1, "dog": 1}
    assert "since this scan" not in words(app.run())
    assert "links to folders followed" in words(tab(app, "Datasets and scans"))


def test_links_beside_pictures_can_be_followed_later(home: Home, linked: Path) -> None:
    drawings.save(linked, {"own/1.png": drawings.noise(3, 16)})
    app = start(**home.names)
    assert "Skipped: 2 links to folders." in typed(app, str(linked))
    pressed(app, "use_and_scan")
    dataset = home.registry.dataset(address(app)["dataset"])
    assert not dataset.follow_links
    assert ended(home.registry, home.registry.index_path(dataset, home.network)).progress.total == 1
    app.run()
    sidebar = [part.value for part in app.sidebar.get("caption")]
    assert "Skipped\\: 2 links to folders" in sidebar
    said = words(app)
    assert "Skipped: 2 links to folders." in said
    assert "Skipped: 2 links to folders" in words(tab(app, "Datasets and scans"))
    pressed(app, "follow_links_scanned")
    assert app.text_input(key=key_now(app, "folder_path")).value == str(linked)
    assert "**3 images** · 3 labels" in words(app)


def test_a_ticked_box_is_forgotten_with_its_folder(home: Home, linked: Path, two: Path) -> None:
    app = start(**home.names)
    typed(app, str(linked))
    app.checkbox(key="follow_links").check().run()
    typed(app, str(two))
    assert not app.checkbox
    pressed(app, "use_only")
    assert not home.registry.dataset(address(app)["dataset"]).follow_links


def test_hidden_folders_are_no_labels_and_are_named(home: Home, two: Path) -> None:
    hidden = (".ipynb_checkpoints/a.png", "@eaDir/b.png", "dog/._1.png", ".Trash-1000/f/c.png")
    drawings.save(two, dict.fromkeys(hidden, drawings.noise(3, 16)))
    app = start(**home.names)
    assert "**2 images** · 2 labels · Skipped: 4 hidden." in typed(app, str(two))
    assert "4 skipped, with reasons" in [part.label for part in app.expander]
    assert [option.partition(" ")[0] for option in app.multiselect(key="labels").options] == [
        *("cat", "dog")
    ]


def test_what_to_do_about_pictures_that_are_not_read(home: Home, two: Path) -> None:
    for n in range(5):
        (two / f"{n}.HEIC").write_bytes(b"x")
    said = typed(start(**home.names), str(two))
    assert "Skipped: 5 .heic. .heic cannot be read: convert them to JPEG or PNG." in said


def test_browsing_says_what_is_passed_over(home: Home, linked: Path) -> None:
    (linked / ".DS_Store").write_bytes(b"x")
    (linked / "notes.txt").write_bytes(b"x")
    app = start(**home.names)
    app.text_input(key="folder_path").input(str(linked)).run()
    pressed(app, "browse")
    assert (
        "0 pictures directly in this folder. Subfolders are included too. Skipped: 1 .txt, "
        "1 hidden. 2 of the subfolders are links. A checkbox on Start includes them."
    ) in words(app)
