"""Hostile and unusual zips, made by the tests, with the expected result of each.

Others are in ``tests/app/test_uploads.py`` with the behaviour they test: names that lead out,
links, passwords, bombs that tell the truth and that lie, damaged entries, too many files.
"""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.hostile.images import png


@dataclass(frozen=True)
class ArchiveCase:
    """One zip: how it is made; the reason for refusing it as a pattern, or the pictures kept."""

    make: Callable[[], bytes]
    refused: str = ""
    kept: tuple[str, ...] = ()
    left_out: str = ""
    """A pattern for the reason why the others are left out."""


def zipped(
    *entries: tuple[str | zipfile.ZipInfo, bytes], kind: int = zipfile.ZIP_DEFLATED
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def entry(name: str, mode: int, system: int = 3) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = system, mode << 16
    return info


def changed(content: bytes, *places: tuple[bytes, int, bytes]) -> bytes:
    """Bytes written at a distance behind the last time a mark is found."""
    found = bytearray(content)
    for mark, distance, new in places:
        start = found.rindex(mark) + distance
        found[start : start + len(new)] = new
    return bytes(found)


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def overlapping() -> bytes:
    """Many entries with one content: the bombs of D. Fifield."""
    whole = zipped(("a.png", png()))
    start = whole.index(CENTRAL)
    end = whole.index(END)
    central = whole[start:end]
    many = b"".join(central.replace(b"a.png", b"%05d" % n) for n in range(1000))
    counts = struct.pack("<HHII", 1000, 1000, len(many), start)
    return whole[:start] + many + whole[end : end + 8] + counts + b"\x00\x00"


def many_tiny(count: int) -> bytes:
    return zipped(*((f"{n}.png", b"") for n in range(count)), kind=zipfile.ZIP_STORED)


def with_64(content: bytes) -> bytes:
    """An end record of zip64 that claims 2^60 files."""
    end = content.rindex(END)
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, 2**60, 2**60, 2**40, 0)
    locator = struct.pack("<IIQI", 0x07064B50, 0, end, 1)
    return content[:end] + record + locator + content[end:]


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("a.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return buffer.getvalue()


def extra(info: zipfile.ZipInfo, content: bytes) -> zipfile.ZipInfo:
    info.extra = content
    return info


GOOD = ("good.png", png())


def beside_good(*names: str) -> bytes:
    return zipped(GOOD, *((name, png()) for name in names))


def refusing(names: Sequence[str]) -> dict[str, ArchiveCase]:
    return {
        f"a name that is {name[:20]!a}": ArchiveCase(
            lambda name=name: beside_good(name), refused="leads out of it or is not allowed"
        )
        for name in names
    }


def passing_over(names: Sequence[str], reasons: str) -> dict[str, ArchiveCase]:
    return {
        f"a name that is {name[:20]!a}": ArchiveCase(
            lambda name=name: beside_good(name), kept=("good.png",), left_out=reasons
        )
        for name in names
    }


ARCHIVES: dict[str, ArchiveCase] = {
    **refusing(
        [
            *("/a.png", "//host/share/a.png", "\\\\?\\C:\\a.png", "a/b/../../../c.png"),
            *("..\\..\\a.png", "./../a.png"),
        ]
    ),
    **passing_over(
        ["a\x85b.png", "a\x7fb.png", "/".join("d" * 40) + ".png", "n" * 300 + ".png"],
        "cannot be shown|folders|bytes",
    ),
    "a drive, which is only a name here": ArchiveCase(
        lambda: beside_good("c:a.png"), kept=("good.png", "c:a.png")
    ),
    "names that only look as if they led out": ArchiveCase(
        lambda: zipped(
            ("..png", png()),
            ("a..b/c..png", png()),
            ("%2e%2e%2fa.png", png()),
            ("\uff0e\uff0e\uff0fa.png", png()),
            ("~/a.png", png()),
            ("$HOME.png", png()),
        ),
        kept=("a..b/c..png", "%2e%2e%2fa.png", "\uff0e\uff0e\uff0fa.png", "~/a.png", "$HOME.png"),
        left_out="hidden",
    ),
    "names that are HTML": ArchiveCase(
        lambda: zipped(("<img src=x onerror=alert(1)>.png", png()), ("<b>/a.png", png())),
        kept=("<img src=x onerror=alert(1)>.png", "<b>/a.png"),
    ),
    "a name cut by a zero": ArchiveCase(
        lambda: zipped(("aXpng", png()), GOOD).replace(b"aXpng", b"a\x00png"),
        kept=("good.png",),
        left_out="not a type|cannot be shown",
    ),
    "a device": ArchiveCase(
        lambda: zipped(GOOD, (entry("a.png", stat.S_IFBLK | 0o666), b"")),
        kept=("good.png",),
        left_out="a link or a device",
    ),
    "a pipe": ArchiveCase(
        lambda: zipped(GOOD, (entry("a.png", stat.S_IFIFO | 0o666), b"")),
        kept=("good.png",),
        left_out="a link or a device",
    ),
    "a link that says Windows made it": ArchiveCase(
        lambda: zipped(GOOD, (entry("a.png", stat.S_IFLNK | 0o777, 0), b"/etc/passwd")),
        kept=("good.png",),
        left_out="a link or a device",
    ),
    "a file that would run as root": ArchiveCase(
        lambda: zipped((entry("a.png", stat.S_IFREG | 0o6777), png())), kept=("a.png",)
    ),
    "a zip in a zip in a zip": ArchiveCase(
        lambda: zipped(GOOD, ("in.zip", zipped(("in.zip", zipped(("../a.png", png())))))),
        kept=("good.png",),
        left_out="an archive inside",
    ),
    "other archives inside": ArchiveCase(
        lambda: zipped(GOOD, ("a.tar.gz", tarred()), ("a.7z", b"7z"), ("a.rar", b"Rar!")),
        kept=("good.png",),
        left_out="an archive inside",
    ),
    "a zip that is called a picture": ArchiveCase(
        lambda: zipped(("a.png", zipped(("../b.png", png())))), kept=("a.png",)
    ),
    "names that differ by case": ArchiveCase(
        lambda: beside_good("Good.png", "GOOD.PNG"),
        kept=("good.png",),
        left_out="another file has the same name",
    ),
    "one name three times": ArchiveCase(
        lambda: (
            zipped(("a/b.png", png()), ("a/c.png", png()), ("a/e.png", png()))
            .replace(b"a/c.png", b"a/b.png")
            .replace(b"a/e.png", b"a/b.png")
        ),
        kept=("b.png",),
        left_out="another file has the same name",
    ),
    "a folder where a picture is": ArchiveCase(
        lambda: beside_good("x/a.png", "x/a.png/b.png", "x/a.png/c/d.png"),
        kept=("good.png", "x/a.png"),
        left_out="another file has the same name",
    ),
    "a picture where a folder is": ArchiveCase(
        lambda: beside_good("x/a.png/b.png", "x/a.png"),
        kept=("good.png", "x/a.png/b.png"),
        left_out="another file has the same name",
    ),
    "entries that overlap": ArchiveCase(
        overlapping,
        refused="no pictures",  # their names have no ending
    ),
    "2,000 tiny files": ArchiveCase(
        lambda: many_tiny(2000), kept=tuple(f"{n}.png" for n in range(2000))
    ),
    "20,001 files": ArchiveCase(lambda: many_tiny(20_001), "20,001 files; at most 20,000"),
    "zip64 that claims 2^60 files": ArchiveCase(lambda: with_64(beside_good()), "not zip64"),
    "a wrong checksum": ArchiveCase(
        lambda: changed(
            zipped(GOOD, ("a.png", png())), (LOCAL, 14, b"XXXX"), (CENTRAL, 16, b"XXXX")
        ),
        kept=("good.png",),
        left_out="damaged",
    ),
    "a size that is too small": ArchiveCase(
        lambda: changed(zipped(GOOD, ("a.png", png())), (CENTRAL, 24, b"\x01\x00\x00\x00")),
        kept=("good.png",),
        left_out="damaged",
    ),
    "an entry that begins beyond the end": ArchiveCase(
        lambda: changed(zipped(GOOD, ("a.png", png())), (CENTRAL, 42, b"\xff\xff\xff\x7f")),
        kept=("good.png",),
        left_out="damaged",
    ),
    "a local name that is another": ArchiveCase(
        lambda: changed(zipped(GOOD, ("a.png", png())), (LOCAL, 30, b"..")),
        kept=("good.png",),
        left_out="damaged",
    ),
    "a local name that is no text": ArchiveCase(
        lambda: changed(zipped(GOOD, ("\u00e9.png", png())), (LOCAL, 30, b"\xff\xff")),
        kept=("good.png",),
        left_out="damaged",
    ),
    "packed with bzip2, and broken": ArchiveCase(
        lambda: changed(zipped(("a.png", png()), kind=zipfile.ZIP_BZIP2), (LOCAL, 36, b"broken")),
        refused="packed with an unknown method",
    ),
    "packed with LZMA, with a dictionary of 4 GB": ArchiveCase(
        lambda: changed(
            zipped(("a.png", png()), kind=zipfile.ZIP_LZMA), (LOCAL, 40, b"\xff\xff\xff\xff")
        ),
        refused="packed with an unknown method",
    ),
    "packed with a method that does not exist": ArchiveCase(
        lambda: changed(
            zipped(GOOD, ("a.png", png())), (LOCAL, 8, b"\x63"), (CENTRAL, 10, b"\x63")
        ),
        kept=("good.png",),
        left_out="packed with an unknown method",
    ),
    "a program before the zip": ArchiveCase(
        lambda: b"MZ" + bytes(999) + beside_good(), kept=("good.png",)
    ),
    "a zip in the comment of a zip": ArchiveCase(
        lambda: beside_good() + beside_good("../a.png"), "leads out"
    ),
    "another name in the extra field": ArchiveCase(
        lambda: zipped(
            (
                extra(
                    zipfile.ZipInfo("a.png"), struct.pack("<HHBI", 0x7075, 14, 1, 0) + b"../evil.p"
                ),
                png(),
            )
        ),
        kept=("a.png",),
    ),
    "an extra field longer than the entry": ArchiveCase(
        lambda: changed(
            zipped((extra(zipfile.ZipInfo("a.png"), b"\x01\x00\x08\x00" + bytes(8)), png())),
            (b"\x01\x00\x08\x00", 2, b"\xff\xff"),
        ),
        "a.png: damaged in the table of contents",
    ),
    "more files than its table has": ArchiveCase(
        lambda: changed(beside_good(), (END, 8, b"\x99\x00\x99\x00")), kept=("good.png",)
    ),
    "a table that begins in the middle": ArchiveCase(
        lambda: changed(beside_good(), (END, 16, b"\x01\x00\x00\x00")), "no pictures"
    ),
    "a tar": ArchiveCase(tarred, "zip archive"),
    "a gzip": ArchiveCase(lambda: gzip.compress(bytes(10**6)), "zip archive"),
    "only the end": ArchiveCase(lambda: END + bytes(18), "no pictures"),
    "only folders": ArchiveCase(lambda: zipped(("a/", b""), ("b/c/", b"")), "no pictures"),
}
