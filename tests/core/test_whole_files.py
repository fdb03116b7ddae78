import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deconv_core.storage import part_name, written_name
from deconv_core.whole_files import remove_parts, whole_file, write_whole

ROOT = Path(__file__).parents[2]
CONTENTS = [bytes([letter]) * 30_000 for letter in b"abcdefgh"]
WRITER = """
import sys
from pathlib import Path
from deconv_core.whole_files import write_whole
sys.stdin.readline()
for _ in range(40):
    write_whole(Path(sys.argv[1]), sys.argv[2].encode() * 30_000)
"""


def test_many_threads_write_one_file(tmp_path: Path) -> None:
    path, together = tmp_path / "entry.json", threading.Barrier(len(CONTENTS))

    def write(content: bytes) -> None:
        together.wait()
        for _ in range(40):
            write_whole(path, content)
            assert path.read_bytes() in CONTENTS

    with ThreadPoolExecutor(len(CONTENTS)) as pool:
        list(pool.map(write, CONTENTS))
    assert list(tmp_path.iterdir()) == [path]


def test_many_processes_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "entry.json"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), letter], stdin=subprocess.PIPE, cwd=ROOT
        )
        for letter in "abcd"
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    assert path.read_bytes() in CONTENTS
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "grid.png"
    write_whole(path, b"before")

    def fail() -> None:
        with whole_file(path) as part:
            part.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_of_that_name_is_an_error_and_stays(tmp_path: Path) -> None:
    (tmp_path / "grid.png").mkdir()
    with pytest.raises(OSError, match=r"grid\.png"):
        write_whole(tmp_path / "grid.png", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["grid.png"]


def test_the_longest_name_a_file_system_takes(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 125 + ".csv")  # 254 bytes
    write_whole(path, b"content")
    assert path.read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (part_name("images.parquet"), "images.parquet"),
        (part_name("a.b.part"), "a.b.part"),
        (".images.parquet.part", None),
        (".images.parquet.Kq3xYz.part", None),  # as rsync names them
        ("images.parquet.part", None),
        ("images.parquet", None),
    ],
    ids=["ours", "ours, of a .part", "hidden", "as rsync names them", "not hidden", "whole"],
)
def test_names_of_unfinished_files(name: str, target: str | None) -> None:
    assert written_name(name) == target


def test_no_two_writes_take_the_same_name() -> None:
    assert len({part_name("x") for _ in range(1000)}) == 1000


def test_only_what_is_asked_for_is_removed(tmp_path: Path) -> None:
    ours, other = tmp_path / part_name("a.json"), tmp_path / part_name("b.json")
    theirs = tmp_path / ".a.json.part"
    for path in (ours, other, theirs):
        path.write_bytes(b"half")
    remove_parts(tmp_path, "a.json".__eq__)
    assert set(tmp_path.iterdir()) == {other, theirs}


def test_what_may_still_be_written_is_kept(tmp_path: Path) -> None:
    old, fresh = tmp_path / part_name("a.json"), tmp_path / part_name("a.json")
    for path in (old, fresh):
        path.write_bytes(b"half")
    an_hour_ago = fresh.stat().st_mtime - 3700
    os.utime(old, (an_hour_ago, an_hour_ago))
    remove_parts(tmp_path, "a.json".__eq__, unchanged_for=3600)
    assert list(tmp_path.iterdir()) == [fresh]
