"""Every bad or odd image is read or refused with a reason: in a scan, a preview and an upload."""

import io
import os
import re
import resource
import sys
from pathlib import Path

import pytest
from PIL import Image

from deconv_core.errors import ImageError
from deconv_core.images.folder import ImageFolder
from deconv_core.network.network import Network
from deconv_core.scanning.scan import scan
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.start.previews import preview
from deconv_dashboard.upload.unpacking import store_files
from tests.conftest import Run
from tests.hostile.canary import nothing_happens
from tests.hostile.images import IMAGES, encoded, png

pytestmark = pytest.mark.filterwarnings("ignore:::PIL")


def reason(images: ImageFolder, position: int) -> str:
    try:
        pixels = images.read(position)
    except ImageError as error:
        return str(error)
    assert pixels.shape == (224, 224, 3)
    return ""


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_is_read_or_refused_with_a_reason(kind: str, tmp_path: Path) -> None:
    case = IMAGES[kind]
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / case.name).write_bytes(case.make())
    with nothing_happens(tmp_path):
        found = reason(ImageFolder(folder), 0)
        assert re.search(case.expected, found) if case.expected else found == "", found
        (thumbnail,) = preview(ImageFolder(folder)).thumbnails
        assert bool(thumbnail.jpeg) != bool(thumbnail.error)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them in one folder, and one good picture."""
    folder = tmp_path_factory.mktemp("corpus")
    for number, case in enumerate(IMAGES.values()):
        (folder / f"{number:02d}{Path(case.name).suffix}").write_bytes(case.make())
    (folder / "good.png").write_bytes(png())
    return folder


def test_a_scan_passes_over_what_it_cannot_read(
    corpus: Path, network: Network, tmp_path: Path
) -> None:
    images = ImageFolder(corpus)
    index = scan(network, images, tmp_path / "index")
    errors = dict(zip(index.images["image_id"], index.images["error"], strict=True))
    assert errors["good.png"] == ""
    assert errors == {
        entry.image_id: reason(images, position) for position, entry in enumerate(images)
    }


def test_uploading_them_writes_only_into_its_folder(corpus: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "home")
    files = [(path.name, io.BytesIO(path.read_bytes())) for path in sorted(corpus.iterdir())]
    with nothing_happens(tmp_path, registry.home):
        upload = store_files(registry, files, "corpus")
    assert upload.images == len(files)
    assert {path.name for path in upload.dataset.root.iterdir()} == {name for name, _ in files}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by the system here")
def test_the_whole_corpus_is_decoded_within_a_gigabyte(run: Run, corpus: Path) -> None:
    # Limits on the address space, not the memory used: what is only claimed counts too.
    program = (
        "import resource, sys, warnings; warnings.simplefilter('ignore')\n"
        "from deconv_core.images.folder import ImageFolder, ImageError\n"
        "images = ImageFolder(sys.argv[1]); reads = 0\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**30,) * 2)\n"
        "for position in range(len(images)):\n"
        "    try: images.read(position); reads += 1\n"
        "    except ImageError as error: assert 'memory' not in str(error), error\n"
        "print(reads)"
    )
    done = run([sys.executable, "-c", program, str(corpus)])
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 10
    assert resource.getrlimit(resource.RLIMIT_AS) == (resource.RLIM_INFINITY,) * 2


# -- what lies in a folder -----------------------------------------------------------------------

NAMES = (
    "<img src=x onerror=alert(1)>.png",
    "<script>alert(1)<|script>.png",
    "[click](javascript:alert(1)).png",
    "![x](x).png",
    "**bold** _it_ `code` $x$ :red[x] :material|home:.png",
    "www.example.com https:||example.com a@example.com.png",
    "# heading.png",
    "line\nfeed\r\x1b[31m.png",
    "-rf --no-preserve-root.png",
    "--labels=x.png",
    "'; DROP TABLE images; --.png",
    '" onload="alert(1).png',
    "{{7*7}} ${7*7} %s %n.png",
    "=HYPERLINK(1).png",
    "\u202egnp.exe.png",
    "ﷺ" * 60 + ".png",
    "n" * 251 + ".png",
    " leading and trailing .png",
    "e\u0301 and \u00e9.png",
    "a.png\uff0f..\uff0fb.png",
    "CON.png",
)


@pytest.mark.skipif(sys.platform != "linux", reason="not names elsewhere")
def test_names_are_only_names(network: Network, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in NAMES:
        (tmp_path / "images" / name).write_bytes(png())
    images = ImageFolder(tmp_path / "images")
    assert {entry.image_id for entry in images} == set(NAMES)
    with nothing_happens(tmp_path, tmp_path / "index"):
        index = scan(network, images, tmp_path / "index")
    assert set(index.images["image_id"]) == set(NAMES)
    assert (index.images["error"] == "").all()


LINKS = {
    "to itself": ("itself.png", "gone"),
    "to nothing": ("/nowhere/at/all.png", "gone"),
    "to a device that never ends": ("/dev/zero", "not a file"),
    "to a device that never answers": ("/dev/tty", "not a file"),
    "to what the system knows of this process": (
        "/proc/self/mem",
        "not a picture|Input/output error|empty|gone",
    ),
    "to a folder": ("/etc", ""),
}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other devices")
@pytest.mark.parametrize("kind", LINKS)
def test_a_link_to_what_is_no_picture(kind: str, tmp_path: Path) -> None:
    leads, expected = LINKS[kind]
    name = "itself.png" if kind == "to itself" else "link.png"
    (tmp_path / name).symlink_to(leads)
    images = ImageFolder(tmp_path)
    if not expected:
        assert len(images) == 0
        assert images.skipped[0].reason == "a link to a folder: not followed"
    else:
        assert re.search(expected, reason(images, 0))


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A folder with a picture, a link to it, and links out: directly, by way of a link, round."""
    outside, folder = tmp_path / "private", tmp_path / "offered"
    outside.mkdir()
    folder.mkdir()
    (outside / "secret.png").write_bytes(png())
    (folder / "own.png").write_bytes(encoded("PNG"))
    (folder / "inside.png").symlink_to(folder / "own.png")
    (folder / "out.png").symlink_to(outside / "secret.png")
    (folder / "up.png").symlink_to("../private/secret.png")
    (folder / "twice.png").symlink_to("out.png")
    (folder / "round.png").symlink_to("round.png")
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_out_are_followed_only_where_nothing_is_restricted(linked: Path) -> None:
    assert len(ImageFolder(linked)) == 6
    images = ImageFolder(linked, within=[linked])
    assert [entry.image_id for entry in images] == ["inside.png", "own.png", "round.png"]
    left_out = {skipped.name for skipped in images.skipped}
    assert left_out == {"out.png", "up.png", "twice.png"}
    assert len(ImageFolder(linked, within=[linked, linked.parent / "private"])) == 6


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read all")
def test_a_folder_that_may_not_be_listed_is_named_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    try:
        (skipped,) = ImageFolder(tmp_path).skipped
    finally:
        (tmp_path / "locked").chmod(0o755)
    assert skipped.name == "locked"


def test_none_of_it_takes_pillow_past_its_own_limit() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
