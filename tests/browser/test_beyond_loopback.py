"""A server for others: its folders, its texts, and hostile names in a real browser.

127.0.0.2 is this computer too, but the server does not count it as loopback. So it follows the
rules of a server for others.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocket, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from deconv_core.images.folder import ImageFolder
from deconv_core.network.network import Network
from deconv_core.scanning.scan import scan
from deconv_dashboard.data.datasets import Dataset
from tests.browser.conftest import OpenPage
from tests.browser.server import Server
from tests.core import drawings

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(sys.platform != "linux", reason="other systems lack 127.0.0.2"),
]

LABEL = "<img src=x onerror=window.evil=1> ![x](x) [y](javascript:window.evil=1)"
NAMES = (
    "<script>window.evil=1<|script>.png",
    "**b** _i_ `c` $x^2$ :red[x] :material|home: ~~s~~ # h.png",
    "www.evil.example a@evil.example https:||evil.example.png",
    "lines\n\n# two\n- three.png",
    "' onload='window.evil=1' x=\".png",
    "\u202egnp.right to left.png",
)
PAGES = ("", "layer", "feature_map", "image", "export", "method")


@dataclass
class Offering:
    """A server on 127.0.0.2, and what was registered on it while it was on loopback."""

    server: Server
    root: Path
    offered: Dataset
    private: Dataset
    network: str
    private_network: str

    def url(self, page: str, **parameters: str) -> str:
        names = {"network": self.network, "dataset": self.offered.dataset_id}
        return self.server.url(page, **{**names, **parameters})


@pytest.fixture(scope="module")
def offering(
    tmp_path_factory: pytest.TempPathFactory, weight_file: Path, network: Network
) -> Iterator[Offering]:
    root = tmp_path_factory.mktemp("secretpath")
    home, listed, outside = root / "home", root / "listed", root / "outside"
    home.mkdir()
    pictures = {f"{LABEL}/{name}": drawings.noise(n, 9) for n, name in enumerate(NAMES)}
    drawings.save(listed / "photos", pictures)
    drawings.save(outside, {"secret.png": drawings.noise(99)})
    (listed / "photos" / "[z](x)").mkdir()
    (listed / "photos" / "out").symlink_to(outside, target_is_directory=True)
    (listed / "photos" / LABEL / "out.png").symlink_to(outside / "secret.png")
    for place in (listed, outside):
        (place / weight_file.name).write_bytes(weight_file.read_bytes())
    server = Server(home, host="127.0.0.2", environment={"DECONV_FOLDERS": str(listed)})
    registry = server.registry
    offered = registry.add_folder(listed / "photos", name=LABEL)
    private = registry.add_folder(outside, name="private pictures")
    chosen = registry.add_weights(listed / weight_file.name)
    hidden = registry.add_weights(outside / weight_file.name, "caffe")
    images = ImageFolder(offered.root, within=[listed])
    scan(network, images, registry.index_path(offered, chosen))
    server.start()
    yield Offering(server, root, offered, private, chosen.network_id, hidden.network_id)
    server.stop()
    server.assert_no_error_of_ours()


@pytest.fixture
def watched(open_page: OpenPage, offering: Offering) -> Iterator[OpenPage]:
    """Opens pages, and fails if any data for the browser contains a path of the server."""
    found: list[str] = []
    pages: list[Page] = []
    secrets = [str(offering.root), str(Path.cwd())]

    def look(content: str | bytes) -> None:
        message = ForwardMsg.FromString(content if isinstance(content, bytes) else b"")
        if message.WhichOneof("type") == "new_session":  # Streamlit tells where app.py is
            message.new_session.main_script_path = ""
        told = message.SerializeToString()
        found.extend(secret for secret in secrets if secret.encode() in told)

    def watch(socket: WebSocket) -> None:
        socket.on("framereceived", look)

    def open_(url: str) -> Page:
        page = open_page("about:blank")
        page.on("websocket", watch)
        pages.append(page)
        page.goto(url)
        return page

    yield open_
    for page in pages:
        page.remove_listener("websocket", watch)
    assert not found, found


def settled(page: Page) -> None:
    expect(page.get_by_role("link", name="Layer", exact=True)).to_be_visible()
    expect(page.locator("[data-testid=stStatusWidget]")).to_have_count(0, timeout=240_000)


def assert_harmless(page: Page) -> None:
    """Check that no code ran, that no name became an element, that no link leaves the server."""
    assert page.evaluate("window.evil") is None
    for selector in ("img[src=x]", "script:not([src]):has-text('evil')"):
        assert page.locator(selector).count() == 0, selector
    assert page.locator("h1").count() <= 1, "a name became a heading"
    links = page.eval_on_selector_all("a[href]", "found => found.map(a => a.href)")
    assert not [link for link in links if re.match(r"javascript:|mailto:|\w+://[^/]*evil", link)]


@pytest.mark.parametrize("name", PAGES)
def test_names_are_text_and_no_path_leaves(
    watched: OpenPage, offering: Offering, name: str
) -> None:
    page = watched(offering.url(name))
    settled(page)
    expect(page.get_by_text("<img src=x onerror").first).to_be_visible()
    assert_harmless(page)


def test_images_of_any_names_are_shown_as_text(watched: OpenPage, offering: Offering) -> None:
    page = watched("about:blank")
    for name in NAMES:
        page.goto(offering.url("image", image=f"{LABEL}/{name}"))
        settled(page)
        expect(page.get_by_text("Strongest maps").first).to_be_visible()
        assert_harmless(page)


def test_hostile_addresses_are_text(watched: OpenPage, offering: Offering) -> None:
    evil = "<img src=x onerror=window.evil=1> www.evil.example a@evil.example [x](//evil.example)"
    page = watched("about:blank")
    for page_name in ("layer", "feature_map", "image"):
        page.goto(offering.url(page_name, layer=evil, map=evil, label=evil, image=evil))
        settled(page)
        expect(page.get_by_text("<img src=x onerror").first).to_be_visible()
        assert_harmless(page)


def test_what_was_registered_on_loopback_and_is_not_listed_is_not_there(
    watched: OpenPage, offering: Offering
) -> None:
    private = offering.private.dataset_id
    page = watched(offering.url("image", dataset=private, image="secret.png"))
    settled(page)
    expect(page.get_by_text(f"This computer has no dataset “{private}”")).to_be_visible()
    hidden = watched(offering.url("layer", network=offering.private_network))
    settled(hidden)
    expect(hidden.get_by_text("This computer has no network")).to_be_visible()
    for shown in (page, hidden):
        assert shown.get_by_text("private pictures").count() == 0


def test_folders_are_browsed_by_name_and_only_below_what_is_listed(
    watched: OpenPage, offering: Offering
) -> None:
    page = watched(offering.server.url())
    settled(page)
    page.get_by_role("button", name="Browse").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Up")).to_be_disabled()
    dialog.get_by_role("button", name="photos").click()
    place = dialog.get_by_role("textbox", name="Path of the folder")
    expect(place).to_have_value("listed/photos")
    expect(dialog.get_by_role("button", name="[z](x)")).to_be_visible()
    dialog.get_by_role("button", name="out", exact=True).click()
    expect(place).to_have_value("listed")  # it leads out: not entered
    dialog.get_by_role("button", name="photos").click()
    dialog.get_by_role("button", name="Use this folder").click()
    expect(page.get_by_text(f"{len(NAMES)} images").first).to_be_visible()
    assert_harmless(page)


def test_other_folders_are_refused_whether_they_exist_or_not(
    watched: OpenPage, offering: Offering
) -> None:
    page = watched(offering.server.url())
    settled(page)
    field = page.get_by_label("Folder on this computer")
    refused = page.get_by_text("is outside the folders this server offers: listed")
    outside = ("/etc", "listed/../outside", "listed/photos/out", "~root", "/", "..", "\\")
    for typed in (*outside, "LISTED/photos"):
        field.fill(typed)
        field.press("Enter")
        expect(refused).to_be_visible()
        field.fill("")
        field.press("Enter")
        expect(refused).to_have_count(0)


def test_without_a_list_no_folder_is_offered(open_page: OpenPage, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "photos").mkdir()
    server = Server(home, host="127.0.0.2", environment={})
    assert "DECONV_FOLDERS" not in os.environ
    dataset = server.registry.add_folder(tmp_path / "photos", name="registered before")
    server.start()
    try:
        page = open_page(server.url(dataset=dataset.dataset_id))
        settled(page)
        expect(page.get_by_text("This computer has no dataset")).to_be_visible()
        assert page.get_by_text("registered before").count() == 0
        assert page.get_by_label("Folder on this computer").count() == 0
        page.get_by_role("tab", name="Networks").click()
        expect(page.get_by_text("Demo network").first).to_be_visible()
        assert page.get_by_label("Add your own weights").count() == 0
        page.close()
    finally:
        server.stop()
