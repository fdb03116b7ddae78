"""Downloads against a server of our own that can break, refuse ranges and send rubbish."""

import hashlib
import http.client
import http.server
import re
import socket
import ssl
import threading
import urllib.error
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import filelock
import pytest
import torch

from deconv_core.errors import CancelledError, DownloadError, WeightsError
from deconv_core.network.download import download, sha256_of, why_not
from deconv_core.network.sources import load_network, published_vgg19
from tests.core.network.test_sources import assert_is_features, with_classifier

CONTENT = bytes(range(256)) * 12_000  # 3 MB: three pieces
PREFIX = hashlib.sha256(CONTENT).hexdigest()[:8]


class Server(http.server.ThreadingHTTPServer):
    """Serves ``content`` at any path."""

    content = CONTENT
    ranges = True
    breaks_after: int | None = None
    says_length = True
    asked: list[tuple[str, str | None]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/rubbish":
            self.wfile.write(b"no HTTP at all\r\n\r\n")
            return
        content, start = self.server.content, 0
        if wanted and self.server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if self.server.says_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end, self.server.breaks_after = self.server.breaks_after, None
        self.wfile.write(content[start : None if end is None else start + end])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        made.asked = []
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_a_file_arrives_whole_with_progress(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    target = tmp_path / "new" / "file.bin"
    found = download(
        f"{server.url}/file", target, PREFIX, progress=lambda done, all_: told.append((done, all_))
    )
    assert found == target
    assert target.read_bytes() == CONTENT
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert len(told) >= 3
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert {total for _, total in told} == {len(CONTENT)}
    assert list(target.parent.iterdir()) == [target]


def test_a_file_that_is_there_is_not_fetched(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    download(f"{server.url}/file", tmp_path / "file", PREFIX)
    assert server.asked == []
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_after_a_broken_connection_the_next_call_goes_on_from_there(
    server: Server, tmp_path: Path
) -> None:
    server.breaks_after = 1_234_567
    with pytest.raises(
        WeightsError, match=r"1,234,567 .*try again to continue from the 1.2 MB that are kept"
    ):
        download(f"{server.url}/file", tmp_path / "file", PREFIX)
    assert not (tmp_path / "file").exists()
    told: list[tuple[int, int]] = []
    download(
        f"{server.url}/file",
        tmp_path / "file",
        PREFIX,
        progress=lambda done, all_: told.append((done, all_)),
    )
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=1234567-"]
    assert told[0][0] > 1_234_567
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_a_connection_may_break_many_times(server: Server, tmp_path: Path) -> None:
    for _ in range(3):
        server.breaks_after = 700_000
        with pytest.raises(WeightsError):
            download(f"{server.url}/file", tmp_path / "file", PREFIX)
    download(f"{server.url}/file", tmp_path / "file", PREFIX)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_everything_again(server: Server, tmp_path: Path) -> None:
    server.breaks_after, server.ranges = 1_000_000, False
    with pytest.raises(WeightsError):
        download(f"{server.url}/file", tmp_path / "file", PREFIX)
    download(f"{server.url}/file", tmp_path / "file", PREFIX)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_that_does_not_say_how_much_is_checked_by_the_hash(
    server: Server, tmp_path: Path
) -> None:
    server.says_length = False
    download(f"{server.url}/file", tmp_path / "whole", PREFIX)
    server.breaks_after = 1000
    with pytest.raises(WeightsError, match="arrived damaged"):
        download(f"{server.url}/file", tmp_path / "cut", PREFIX)


def test_a_part_that_is_already_whole_needs_no_more(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    download(f"{server.url}/file", tmp_path / "file", PREFIX)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_and_the_next_call_starts_afresh(
    server: Server, tmp_path: Path
) -> None:
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(WeightsError, match=f"begins with .*, expected {PREFIX}. It was deleted"):
        download(f"{server.url}/file", tmp_path / "file", PREFIX)
    assert list(tmp_path.iterdir()) == []
    server.content = CONTENT
    download(f"{server.url}/file", tmp_path / "file", PREFIX)
    assert [wanted for _, wanted in server.asked] == [None, None]


def test_a_part_of_another_file_is_found_out(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(b"x" * 1000)
    with pytest.raises(WeightsError, match="arrived damaged"):
        download(f"{server.url}/file", tmp_path / "file", PREFIX)
    download(f"{server.url}/file", tmp_path / "file", PREFIX)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_cancel_keeps_what_has_arrived(server: Server, tmp_path: Path) -> None:
    cancel = threading.Event()
    with pytest.raises(CancelledError, match="stopped at 1,"):
        download(
            f"{server.url}/file",
            tmp_path / "file",
            PREFIX,
            progress=lambda *_: cancel.set(),
            cancel=cancel,
        )
    kept = (tmp_path / "file.part").stat().st_size
    assert 0 < kept < len(CONTENT)
    download(f"{server.url}/file", tmp_path / "file", PREFIX)
    assert server.asked[-1][1] == f"bytes={kept}-"
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("path", ["missing", "rubbish"])
def test_a_server_that_does_not_have_it_is_an_error(
    server: Server, tmp_path: Path, path: str
) -> None:
    with pytest.raises(DownloadError, match=rf"could not download {server.url}/{path}") as failed:
        download(f"{server.url}/{path}", tmp_path / "file", PREFIX)
    assert "are kept" not in str(failed.value)
    assert not (tmp_path / "file").exists()


def test_no_server_is_an_error(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="could not download") as failed:
        download("http://127.0.0.1:9/file", tmp_path / "file", PREFIX)
    assert "refuses the connection" in str(failed.value)
    assert "Errno" not in str(failed.value)
    assert "are kept" not in str(failed.value)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (urllib.error.URLError(socket.gaierror(-2, "Name")), "found (is this computer offline?)"),
        (urllib.error.URLError(TimeoutError("timed out")), "the server does not answer"),
        (TimeoutError(), "the server does not answer"),
        (urllib.error.URLError(OSError(101, "Network is unreachable")), "Network is unreachable"),
        (urllib.error.URLError(ssl.SSLCertVerificationError("x")), "is not accepted"),
        (urllib.error.HTTPError("u", 503, "Busy", Message(), None), "answers 503 (Busy)"),
        (OSError("the connection broke after 3 of 5 bytes"), "the connection broke after 3"),
        (http.client.RemoteDisconnected("closed"), "closed"),
        (ValueError(), "ValueError"),
    ],
)
def test_why_a_download_failed_is_said_in_words(error: Exception, words: str) -> None:
    assert words in why_not(error)
    assert why_not(error)[-1] not in "?.", "a sentence goes on after it"
    assert "Errno" not in why_not(error)


def test_the_hash_is_of_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")


# -- the published VGG19 -------------------------------------------------------------------------


@pytest.fixture
def published(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a narrow legacy checkpoint named as torchvision names its own."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    path = tmp_path / "made.pth"
    torch.save(with_classifier_once(), path, _use_new_zipfile_serialization=False)
    server.content = path.read_bytes()
    return f"{server.url}/models/vgg19-{hashlib.sha256(server.content).hexdigest()[:8]}.pth"


def with_classifier_once() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return with_classifier()


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_the_published_file_is_fetched_and_converted_once(
    server: Server, published: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    converted = published_vgg19(home, url=published)
    assert converted.suffix == ".safetensors"
    assert_is_features(load_network(converted))
    assert files_below(home) == [converted], "the large file is not kept"
    assert len(server.asked) == 1

    assert published_vgg19(home, url=published) == converted
    assert len(server.asked) == 1


def test_a_break_in_the_published_file_is_resumed(
    server: Server, published: str, tmp_path: Path
) -> None:
    server.breaks_after = 20_000
    with pytest.raises(WeightsError, match="try again"):
        published_vgg19(tmp_path / "home", url=published)
    assert_is_features(load_network(published_vgg19(tmp_path / "home", url=published)))
    assert server.asked[1][1] == "bytes=20000-"


def test_a_published_file_of_another_hash_is_refused(
    server: Server, published: str, tmp_path: Path
) -> None:
    server.content = server.content[:-1] + b"!"
    with pytest.raises(WeightsError, match="arrived damaged"):
        published_vgg19(tmp_path / "home", url=published)
    assert not files_below(tmp_path / "home")


def test_the_copy_torch_keeps_is_used_if_its_hash_is_right(
    server: Server, published: str, tmp_path: Path
) -> None:
    kept = tmp_path / "torch/hub/checkpoints" / published.rsplit("/", 1)[1]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(server.content)
    assert_is_features(load_network(published_vgg19(tmp_path / "home", url=published)))
    assert server.asked == []
    assert kept.exists()

    kept.write_bytes(b"damaged")
    assert_is_features(load_network(published_vgg19(tmp_path / "other", url=published)))
    assert len(server.asked) == 1


def test_two_processes_do_not_write_one_download(
    server: Server, published: str, tmp_path: Path
) -> None:
    home, cancel = tmp_path / "home", threading.Event()
    (home / "weights").mkdir(parents=True)
    name = published.rsplit("/", 1)[1].removesuffix(".pth")
    with filelock.FileLock(home / "weights" / f"{name}.features.safetensors.lock"):
        cancel.set()
        with pytest.raises(CancelledError, match="another process"):
            published_vgg19(home, url=published, cancel=cancel)
    assert server.asked == []
    assert_is_features(load_network(published_vgg19(home, url=published)))


def test_torchvisions_own_address_carries_the_known_digits() -> None:
    from torchvision.models import VGG19_Weights

    assert VGG19_Weights.IMAGENET1K_V1.url.endswith("/vgg19-dcbb9e9d.pth")


def test_load_network_uses_the_converted_file_below_home(
    published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = published_vgg19(tmp_path / "made", url=published)
    there = tmp_path / "home/weights/vgg19-dcbb9e9d.features.safetensors"
    there.parent.mkdir(parents=True)
    made.rename(there)
    monkeypatch.setenv("DECONV_HOME", str(tmp_path / "home"))
    network = load_network("vgg19")
    assert network.source == "vgg19"
    assert_is_features(network)
