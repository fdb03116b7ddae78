"""Every message with advice: the page that shows it offers a control to follow the advice."""

import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from deconv_core.__main__ import _parser
from deconv_core.errors import NoRoomError, PreprocessingUnclearError
from deconv_core.images.folder import ImageFolder
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.network.network import Network
from deconv_core.scanning.scan import scan
from deconv_dashboard import __main__ as dashboard
from deconv_dashboard.data.datasets import Dataset, NetworkChoice
from deconv_dashboard.frame.moved import FILE, FOLDER
from deconv_dashboard.frame.ways import ASK, WEIGHTS
from deconv_dashboard.frame.ways import LABEL as ROOM
from deconv_dashboard.jobs import scans
from deconv_dashboard.jobs.exports import Export
from deconv_dashboard.queue.state import JobState, Progress
from deconv_dashboard.wording import DATASETS_TAB
from tests.app.advice import labels, messages_with_advice
from tests.app.conftest import Home, OpenPage, address, words
from tests.app.test_start import pressed, start
from tests.core import drawings

# Where a person can follow the advice -> the texts of the controls there, and the beginnings of the
# messages.
REMEDIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "no message: what a control, a tab or a kind is called": (
        (),
        (
            *("Download {}", ":material/upload: Upload", "scan {}"),
            *(
                ":material/upload: upload",
                "cancel {}",
                "export ",
                "stop {}",
                "Scan {}",
                "Try again",
                "name {}",
                "See why, and other ways",
            ),
            *("Update the scan", "Scan anew", "Repair: scan only the", "See what you can delete"),
            *("Download {} ({}) and scan", "Choose the folder where", "Choose the weight file"),
            "Choose the preprocessing",
            *("scan a folder of images into an index (resumes", "read every byte of an index"),
            *("Choose images", "name that cannot be used", "download stopped at"),
            *(":material/error: Scan failed: {}", "{}, see the end of the page"),
        ),
    ),
    "Start: the choosers below, the sidebar": (
        ("Network", "Dataset", "Folder on this computer", "Browse", "Show the demo"),
        (
            *("To use your own pictures, choose a", "The network is {}; choose another"),
            *("Or choose another network in the sidebar", "Or choose other images below."),
            *("The demo's pictures are missing from this installation. Choose", "These images can"),
            *("This is a small network, trained", "To use the pictures in a zip, choose *Upload*"),
            *("The first {} of {} folders. For another", "{} is not there any more; choose"),
        ),
    ),
    "the link to Start beside it": (
        ("Scan it on Start", "Open Start"),
        (
            *(
                "This copy of the program came without the demo's",
                "Upload the pictures again on St",
            ),
            *("Download it again on Start.",),
        ),
    ),
    "the address bar; the page shows something else": (
        (),
        (
            *("“{}” pictures cannot be shown", "There is no band “{}” of the distribution; choose"),
            "There is no rule “{}”; choose",
            *("no dataset has the id", "no network has the id"),
        ),
    ),
    "the field or argument that was given": (
        ("Folder on this computer", "Add your own weights", "Use its folder: {}"),
        (
            *("{} is not a folder but a file; give its", "{} is not a folder; give the path of"),
            *("{} is {}; choose a file that ends in", "there is no file {}; check the path"),
            *("{} is not a folder or file; check",),
            *("{} names a folder of the computer {}", "{} is a path of Windows; give the same"),
            *("{} is not a folder; give a folder of images", "cannot read files of type {}"),
            *("{} is not a path; give a text", "the path is empty; give a folder", "choose 'demo'"),
            *("resize={} is not", "value_range={} is not", "labels is {}", "within is {}"),
            *("{} is not among the {} images", "{} is not a layer of this", "{} is {}; give"),
            *("progress is {}", "cancel is {}", "{} is {} alone; give a list", "device {} "),
            *("preprocessing {} is not known", "scanned is {}; give", "the kind of a scale"),
            *("limit is {}; give", "the percentile is {}; give", "the scale {} is not known"),
            *("kind={} is not known", "tile_size is {} pixels", "tiles of {} pixels do not"),
            *("a grid of {} tiles of {} pixels in rows", "{} is not the address of a feature map"),
            *(
                "engine is {}; give a RayEngine",
                "{} {} is not known; choose",
                "choose a folder that",
            ),
            *(
                "the name of the index folder, {}",
                "the index {} would lie",
                "the folder of images {} l",
            ),
            *("{} is not a folder; choose another folder for the", "results in {} would be"),
            *(
                "cannot write the results to",
                "{} exists already and was not",
                "{} exists already and is",
            ),
            *("the address of the bucket {} contains", "nothing is chosen; choose at least one"),
            *("{} is an address, where a folder", "scan a folder into it first"),
            *("choose a folder you may write to", "give another index folder to keep both"),
            *("note: {} values that fill little of their range",),
        ),
    ),
    "Export: the choices beside the button": (
        ("Layers",),
        ("{} maps and layers are chosen; at most",),
    ),
    "Start: the uploader below": (
        ("Use this upload",),
        (
            *("the upload has {}", "the archive's table of contents", "this is not a whole zip"),
            *("unpacked, the pictures have", "unpacked, the upload is larger", "give one zip at a"),
            *("the upload holds a name", "another upload is being stored", "there are no pictures"),
            *("{} is not a whole zip archive",),
        ),
    ),
    "the list of what was skipped, with reasons": (
        ("{} of the upload left out", "{} skipped, with reasons"),
        (
            *(
                "a link or a device; pack",
                "protected by a password",
                "packed with an unknown method",
            ),
            *(
                "its name holds characters",
                "{} has {} {}; at most {} can be stored",
                "Windows does",
            ),
            *(
                "its name is marked as UTF-8",
                "damaged in the table of contents",
                "{} cannot be re",
            ),
            *(
                "{} x {} pixels would take",
                "a TIFF of a volume",
                "a TIFF of complex",
                "a TIFF whose",
            ),
            *("a BigTIFF whose high", "a TIFF of this kind"),
        ),
    ),
    "the choice of a code page": (
        ("Names in this zip are read as",),
        ("the names in this zip cannot be read",),
    ),
    "Feature map: the tab Notes; Layer: the named maps": (
        ("Feature map", "Notes", "Name", "Note", "Import"),
        (
            *("nothing was saved: another session", "nothing was saved: the notes of this"),
            *("No feature map of this network has a name", "the notes in {} are damaged"),
        ),
    ),
    "update": (
        ("Update", "Update the scan", "Update and resume"),
        (
            *("update the index", "`--update`, update=True"),
            "an image changed while it was read; try again",
        ),
    ),
    "scan anew": (
        ("Scan anew",),
        (
            *(
                "scan the images anew",
                "go on with the scan on a computer that",
                "use computers of one kind",
            ),
            *("use the same {}", "put the manifest back", "put back the right files"),
            *("delete manifest.json and scan the same images", "After the scan, build the zip ag"),
        ),
    ),
    "drop the new scan": (
        ("Drop the new scan",),
        ("delete that folder to begin it again",),
    ),
    "Start, Networks: the field below the failure": (
        ("Path of the downloaded file", "Use it", WEIGHTS),
        ("Or get [{}]({}) in another way, for example", "get the file in another way and give"),
    ),
    "repair": (
        ("Repair: scan only the damaged blocks again",),
        (
            *("scan the same images into this index", "put a copy of it back"),
            *("scan the same images with the same", "{} was not written by this program; move"),
        ),
    ),
    "resume, or try again": (
        ("Resume", "Try again", "Start again", "Build the zip"),
        (
            *(
                "other jobs are being started",
                "the server ended before it had",
                "try again",
            ),
            *(
                "{} arrived damaged",
                "the index at {} was removed or replaced",
                "blocks {} of {} were",
            ),
            *("the folder of images {} was removed", "another process is scanning into {}; wait"),
            *("a worker died {} times", "a worker failed: {}", "{} holds {}{} beside the index"),
            *("a scan is writing to this index",),
        ),
    ),
    "the folder where it is now": (
        (FOLDER, "Its path now", "Use it"),
        (
            *(
                "Put it back, or choose the folder where it is now.",
                "Put it back.",
            ),
            *("none of the images that were scanned is", "the folder of images {} is gone; bri"),
        ),
    ),
    "the weight file where it is now": (
        (FILE, "Its path now", "Use it"),
        ("The file of {} is not where it was", ", or choose it where it is now."),
    ),
    "the field under Rename": (("Rename", "Name"), ("a name has 1 to {} characters",)),
    "see what you can delete": (
        (ROOM, DATASETS_TAB, "Delete"),
        (
            *("make room", "delete one under Datasets and scans"),
            "delete datasets, scans or exports that nobody",
        ),
    ),
    "cancel a job: its row is beside it, or in the sidebar": (
        ("Pause", "Cancel", "End it"),
        ("{} that needs it {}; pause or cancel that first", "the queue is full: {} may wait"),
    ),
    "Networks: the question about the preprocessing": (
        (ASK, "Add with this preprocessing"),
        ("{} has the names of torchvision's weights, but may need Caffe's",),
    ),
    "the weights, saved again": (
        (FILE, "Add your own weights"),
        (
            "Save the state dict alone",
            "{} {}, which no weights of its size do",
            "{} holds no network that is known here",
            "{} has version {} of the form of saved networks",
            "{} holds {} networks, {}; save the state dict of one",
            "features.{} of {} has weight normalisation; remove",
            "features.{} of {} is pruned; make that permanent",
        ),
    ),
    "whoever installed or runs the program": (
        (),
        (
            *(
                "The demo's pictures are missing from this installation; install",
                " They are part of",
            ),
            *(
                "It is part of the program: install the program",
                "It ships with the program: install it again",
                "The data folder cannot be written to",
            ),
            *("allow it to the account that runs this", "Indexes, uploads, exports, weights"),
            *("set DECONV_HOME to another folder", "ask whoever runs the server"),
            *(
                "Ray is not installed; pip install",
                "a worker has torch {}",
                "a worker on {} does not",
            ),
        ),
    ),
    "the library or the command line alone": (
        (),
        (
            "this index was made with links to folders followed; without",
            "the network {} is not known; give demo",
            "give its weight file with --network",
            "the data folder has its own scan of these images by this network; `deconvnet",
            "port {} is not free; choose another",
            "no port from {} to {} is free; choose one",
            "give them {} GPU",
            "the rule is {}; choose one of",
            "the band from {} to {} is empty or outside the distribution; give",
            "architecture {} names weights; give the name alone",
            "{} fits {}; say which by architecture",
            "{} is not a network; give a name, a path or a module",
            "input_size is {}; give (height, width)",
            "{} has no weights {}; choose one of",
            "the replacement is {}; choose one of",
            "{} exists already and is not an export of this program; give",
        ),
    ),
}
BEGINNINGS = {start: where for where, (_, starts) in REMEDIES.items() for start in starts}


def test_every_message_with_advice_is_in_the_list() -> None:
    found = messages_with_advice()
    assert len(found) > 150
    unknown = [text for text in found if not text.startswith(tuple(BEGINNINGS))]
    assert not unknown
    assert not [start for start in BEGINNINGS if not any(text.startswith(start) for text in found)]


@pytest.mark.parametrize("where", REMEDIES)
def test_the_controls_of_the_list_exist(where: str) -> None:
    known = labels()
    assert [label for label in REMEDIES[where][0] if label not in known] == []


def test_options_that_messages_name_exist() -> None:
    known = {name for action in dashboard._parser()._actions for name in action.option_strings}
    for action in _parser()._actions:
        for command in (action.choices or {}).values():  # type: ignore[union-attr]
            known |= {name for one in command._actions for name in one.option_strings}
    texts = [*messages_with_advice(), *labels()]
    named = {option for text in texts for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", text)}
    assert {"--anew", "--update", "--repair", "--follow-links", "--value-range"} <= named | known
    assert named <= known, named - known


# -- a folder that was moved, a weight file that was moved --------------------------------------


def offered(app: AppTest) -> set[str]:
    """Labels of buttons."""
    return {button.label for button in app.button}


@pytest.fixture
def moved(home: Home, tmp_path: Path) -> tuple[Dataset, Path]:
    """A scanned dataset whose folder was renamed, and where it is now."""
    folder = shutil.copytree(home.dataset.root, tmp_path / "before")
    dataset = home.registry.add_folder(folder)
    shutil.copytree(home.index_path, home.registry.index_path(dataset, home.network))
    return dataset, folder.rename(tmp_path / "after")


@pytest.mark.parametrize("page", ["start", "layer", "image", "export"])
def test_a_moved_folder_is_chosen_where_it_is_missed(
    home: Home, open_page: OpenPage, moved: tuple[Dataset, Path], page: str
) -> None:
    dataset, now = moved
    names = {**home.names, "dataset": dataset.dataset_id, "layer": "conv2_1"}
    app = start(**names) if page == "start" else open_page(page, **names)
    assert "is not where it was. Put it back, or choose the folder where it is now" in words(app)
    app.text_input(key="moved_folder").input(f"'{now}'")
    pressed(app, "use_moved_folder")
    assert home.registry.dataset(dataset.dataset_id).root == now
    assert home.registry.dataset(dataset.dataset_id).name == "after"
    assert "is not where it was" not in words(app)
    assert address(app)["dataset"] == dataset.dataset_id
    assert home.registry.add_folder(now).dataset_id == dataset.dataset_id


def test_a_folder_of_other_images_is_not_taken(
    home: Home, open_page: OpenPage, moved: tuple[Dataset, Path], tmp_path: Path
) -> None:
    other = drawings.save(tmp_path / "other", {"x.png": drawings.noise(1, 9)})
    app = open_page("layer", dataset=moved[0].dataset_id)
    for typed, said in ((str(other), "None of the"), (str(tmp_path / "no"), "is not a folder")):
        app.text_input(key="moved_folder").input(typed)
        pressed(app, "use_moved_folder")
        assert said in words(app)
        assert home.registry.dataset(moved[0].dataset_id).root == moved[0].root


def test_a_new_folder_in_the_old_place_is_another_dataset(
    home: Home, moved: tuple[Dataset, Path]
) -> None:
    dataset, now = moved
    home.registry.move_dataset(dataset, now)
    drawings.save(dataset.root, {"x.png": drawings.noise(1, 9)})
    new = home.registry.add_folder(dataset.root)
    assert new.dataset_id != dataset.dataset_id
    assert home.registry.add_folder(dataset.root).dataset_id == new.dataset_id
    assert home.registry.dataset(dataset.dataset_id).root == now


@pytest.fixture
def weightless(home: Home, weight_file: Path, tmp_path: Path) -> tuple[NetworkChoice, Path]:
    """A network that scanned the drawings and whose file was renamed, and where it is now."""
    file = Path(shutil.copy(weight_file, tmp_path / "before.safetensors"))
    network = home.registry.add_weights(file)
    shutil.copytree(home.index_path, home.registry.index_path(home.dataset, network))
    return network, file.rename(tmp_path / "after.safetensors")


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("page", ["start", "layer", "image", "export"])
def test_a_moved_weight_file_is_chosen_where_it_is_missed(
    home: Home, open_page: OpenPage, weightless: tuple[NetworkChoice, Path], page: str
) -> None:
    network, now = weightless
    names = {**home.names, "network": network.network_id, "layer": "conv2_1"}
    app = start(**names) if page == "start" else open_page(page, **names)
    assert "The file of before.safetensors is not where it was" in words(app)
    app.text_input(key="moved_weights").input(str(now))
    pressed(app, "use_moved_weights")
    assert home.registry.network(network.network_id).source == str(now)
    assert home.registry.network(network.network_id).name == "after.safetensors"
    assert "is not where it was" not in words(app)
    assert home.registry.add_weights(now).network_id == network.network_id


def test_before_a_scan_too(
    home: Home, weightless: tuple[NetworkChoice, Path], moved: tuple[Dataset, Path]
) -> None:
    network, dataset = weightless[0].network_id, moved[0].dataset_id
    shutil.rmtree(home.registry.index_path(home.dataset, weightless[0]))
    app = start(network=network, dataset=home.dataset.dataset_id)
    assert app.text_input(key="moved_weights")
    shutil.rmtree(home.registry.index_path(moved[0], home.network))
    app = start(network=home.network.network_id, dataset=dataset)
    assert app.text_input(key="moved_folder")


@pytest.mark.parametrize("error", ["PreprocessingUnclearError", "WeightsError"])
def test_weights_that_a_scan_cannot_use(
    home: Home, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    state = JobState("failed", "scan", message="no", error=error, job_id="1")
    monkeypatch.setattr("deconv_dashboard.start.scan_panel.scan_state", lambda *_: state)
    app = start(**home.names)
    if error == "WeightsError":
        assert app.text_input(key="moved_weights")
        return
    pressed(app, "question_scan")
    assert app.text_input(key="weights_path").value == home.network.source


@pytest.mark.usefixtures("nothing_kept")
def test_weights_that_leave_doubt_on_another_page(
    home: Home, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unclear(*_: object) -> None:
        raise PreprocessingUnclearError("a.pth", ("its name is that of Caffe's",), "caffe")

    monkeypatch.setattr("deconv_dashboard.server.resources._network", unclear)
    app = open_page("layer", layer="conv2_1")
    assert "may need Caffe's preprocessing" in words(app)
    pressed(app, "question_weights")
    assert app.text_input(key="weights_path").value == home.network.source


@pytest.mark.usefixtures("nothing_kept")
def test_vgg19_is_downloaded_where_it_is_missed(
    home: Home, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(
        "deconv_dashboard.frame.weights_panel.start_weights_download",
        lambda *network: begun.append(network),
    )
    vgg19 = home.registry.network("vgg19")
    shutil.copytree(home.index_path, home.registry.index_path(home.dataset, vgg19))
    app = open_page("layer", network="vgg19")
    assert "The weights of VGG19 (ImageNet) are not on this computer" in words(app)
    pressed(app, "missing_weights_download")
    assert len(begun) == 1


# -- room ----------------------------------------------------------------------------------------

FULL = NoRoomError("the disk is full", "make room, for example by deleting datasets or exports")


def at_what_can_be_deleted(app: AppTest, home: Home) -> bool:
    assert app.session_state["start_tab"] == DATASETS_TAB
    return f"delete {home.dataset.dataset_id}" in {button.key for button in app.button}


def refuse(*_: object, **__: object) -> None:
    raise NoRoomError(f"could not start a process: {FULL.what}", *FULL.remedies)


@pytest.mark.parametrize("page", ["start", "layer"])
def test_where_a_scan_has_no_room(
    home: Home, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setattr("deconv_dashboard.frame.remedies.start_scan", refuse)
    if page == "start":
        app = start(**home.names)
        pressed(app, "update_scan")
        key = "room_scan_error"
    else:
        folder = shutil.copytree(home.dataset.root, home.registry.home / "more")
        drawings.save(folder, {"new.png": drawings.noise(1, 9)})
        dataset = home.registry.add_folder(folder)
        shutil.copytree(home.index_path, home.registry.index_path(dataset, home.network))
        app = open_page("layer", dataset=dataset.dataset_id, layer="conv2_1")
        pressed(app, "update_changed")
        key = "room_scan_changed"
    assert "The scan did not start: could not start a process: the disk is full" in words(app)
    pressed(app, key)
    assert at_what_can_be_deleted(app, home)


def test_where_a_scan_ran_out_of_room(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    message = "cannot write the index at x: No space left on device. Finished blocks are kept"
    state = JobState("failed", "scan", message=message, error="NoRoomError", job_id="1")
    monkeypatch.setattr("deconv_dashboard.start.scan_panel.scan_state", lambda *_: state)
    app = start(**home.names)
    assert "No space left on device" in words(app)
    pressed(app, "room_scan_panel")
    assert at_what_can_be_deleted(app, home)


# -- exports -------------------------------------------------------------------------------------


def listed(home: Home, monkeypatch: pytest.MonkeyPatch, **how: Any) -> list[bool]:
    """An export on its page; takes whether scans that are asked for are updates."""
    path = home.registry.home / "exports" / "12345678.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("left_out.csv", "\ufeffimage_id,reason\r\ncat/[1].png,it is gone\r\n")
    names = {"dataset": home.dataset.dataset_id, "network": home.network.network_id}
    state = JobState(kind="export", key="export 12345678", job_id="1", **names, **how)
    monkeypatch.setattr(
        "deconv_dashboard.gallery.export_panel.exports",
        lambda _: [Export("12345678", "a.zip", path, state)],
    )
    asked: list[bool] = []
    monkeypatch.setattr(
        "deconv_dashboard.frame.remedies.start_scan", lambda *_, update, **__: asked.append(update)
    )
    return asked


def test_what_an_export_left_out_is_named_with_an_update(
    home: Home, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = listed(home, monkeypatch, status="done", progress=Progress("", 3, 3, "map", failed=1))
    app = open_page("export")
    assert "cat/[1].png: it is gone" in words(app)
    pressed(app, "update_12345678")
    assert asked == [True]


@pytest.mark.parametrize(
    ("error", "key", "update"),
    [
        ("ImageChangedError", "update_12345678", True),
        ("IndexOutdatedError", "update_12345678", True),
        ("IndexMismatchError", "anew_12345678", False),
    ],
)
def test_a_failed_export_offers_the_scan_that_helps(
    home: Home,
    open_page: OpenPage,
    monkeypatch: pytest.MonkeyPatch,
    error: str,
    key: str,
    update: bool,
) -> None:
    asked = listed(home, monkeypatch, status="failed", message="no", error=error)
    pressed(open_page("export"), key)
    assert asked == [update]


def test_an_export_without_room(
    home: Home, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(home, monkeypatch, status="failed", message=FULL.what, error="NoRoomError")
    app = open_page("export")
    pressed(app, "room_12345678")
    assert at_what_can_be_deleted(app, home)


# -- pictures that changed, links ----------------------------------------------------------------


@pytest.mark.parametrize("how", ["changed", "added"])
def test_the_image_page_says_that_a_picture_is_not_as_it_was_scanned(
    home: Home, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    folder = shutil.copytree(home.dataset.root, tmp_path / "changing")
    dataset = home.registry.add_folder(folder)
    shutil.copytree(home.index_path, home.registry.index_path(dataset, home.network))
    first = ImageFolder(folder)[0].image_id
    name = first if how == "changed" else "new.png"
    asked: list[bool] = []
    monkeypatch.setattr(
        "deconv_dashboard.frame.remedies.start_scan", lambda *_, update, **__: asked.append(update)
    )
    app = open_page("image", dataset=dataset.dataset_id, image=first, layer="conv1_1")
    assert "the scan. This page shows" not in words(app)
    drawings.save(folder, {name: drawings.noise(77, 9)})
    app = open_page("image", dataset=dataset.dataset_id, image=name, layer="conv1_1")
    assert f"This picture was {how} after the scan" in words(app)
    pressed(app, "update_image")
    assert asked == [True]


def test_an_update_keeps_links_as_the_dataset_has_them(
    home: Home, network: Network, tmp_path: Path
) -> None:
    """What the worker of *Update* does, without its process."""
    real = drawings.save(tmp_path / "real", {"1.png": drawings.noise(1, 9)})
    root = drawings.save(tmp_path / "all", {"own/0.png": drawings.noise(2, 9)})
    (root / "cat").symlink_to(real, target_is_directory=True)
    dataset = home.registry.add_folder(root, follow_links=True)
    path = home.registry.index_path(dataset, home.network)
    scan(network, ImageFolder(root, follow_links=True), path)
    drawings.save(real, {"2.png": drawings.noise(3, 9)})
    home_ = home.registry.home
    order = scans.Order(dataset, home.network, path, home_, home.registry.within, True)
    scans.work(order, lambda _: None, _Never())
    index = ActivationIndex.open(path)
    assert index.manifest.follow_links
    assert index.labels == {"cat": 2, "own": 1}


class _Never:
    """Nobody cancels."""

    def is_set(self) -> bool:
        return False


def test_messages_on_pages_name_no_options(home: Home, open_page: OpenPage) -> None:
    """They stand beside buttons."""
    file = home.index_path / "manifest.json"
    file.write_text(file.read_text("utf-8").replace('"format_version": 4', '"format_version": 1'))
    app = open_page("layer")
    assert "this program reads only format 4; scan the images anew." in words(app)
    assert "Scan anew" in offered(app)
