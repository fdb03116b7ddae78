"""Locations of files: local folders, object stores and other remote file systems.

A ``Location`` is a ``pathlib.Path`` or a ``RemotePath``. A ``RemotePath`` has the methods of Path
that this package uses. All code that reads images or an index accepts both.

Addresses are ``s3://bucket/folder``, ``gs://``, ``abfs://``, ``hdfs://``, and everything that an
installed fsspec knows. Another S3 server is named by ``$AWS_ENDPOINT_URL`` or by
``?endpoint_override=HOST:PORT&scheme=http`` at the end of the address. The part after the bucket is
the plain key, not percent-encoded (``file://`` addresses are, as browsers write them). Addresses
never contain keys or passwords: these come from the environment or the machine's role.
"""

from __future__ import annotations

import io
import os
import posixpath
import re
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import filelock

from deconv_core.errors import DeconvError, StorageError
from deconv_core.typed_paths import file_address_path, path_argument

if TYPE_CHECKING:
    from pyarrow import fs

_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+)://(?P<host>[^/?]*)/?(?P<key>[^?]*)\??(.*)")
_OBJECT_STORES = ("s3", "gs", "gcs", "abfs", "abfss")
"""Stores without folders and without renaming; an object appears only when it is complete."""


class RemoteStatus(NamedTuple):
    """Size in bytes and time of the last change of a remote file, named as in ``os.stat``."""

    st_size: int
    st_mtime_ns: int


@dataclass(frozen=True, slots=True, order=True)
class RemotePath:
    """A file or folder of a remote file system, with methods like those of ``pathlib.Path``.

    Attributes:
        address: scheme and host or bucket, for example "s3://bucket".
        key: the part after the address, without a slash at either end.
        options: the part after the question mark.
        filesystem: reads and writes; pickled with the path.
        start: the text that the filesystem needs before the key, for example "bucket".
    """

    address: str
    key: str
    options: str
    filesystem: fs.FileSystem = field(compare=False, repr=False)
    start: str = field(compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.address}/{self.key}" + (f"?{self.options}" if self.options else "")

    def __truediv__(self, name: str) -> RemotePath:
        return replace(self, key=f"{self.key}/{name}".strip("/"))

    @property
    def name(self) -> str:
        """The last part of the key."""
        return posixpath.basename(self.key)

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return posixpath.splitext(self.name)[0]

    @property
    def suffix(self) -> str:
        """The extension of the name, with its dot."""
        return posixpath.splitext(self.name)[1]

    def is_file(self) -> bool:
        """True if there is a file of this name."""
        return bool(self._info().is_file)

    def exists(self) -> bool:
        """True if there is a file of this name or a file below it."""
        return self.is_file() or self.is_dir()

    def is_dir(self) -> bool:
        """True if there is a file below this name."""
        return not self.is_file() and self._info().type.name == "Directory"

    def stat(self) -> RemoteStatus:
        """Size and time of the last change.

        Raises:
            FileNotFoundError: there is no such file.
        """
        info = self._info()
        if not info.is_file:
            raise FileNotFoundError(2, "no such file", str(self))
        return RemoteStatus(info.size, info.mtime_ns or 0)

    def open(self, mode: str = "rb") -> RemoteFile:
        """Open for reading at any position.

        Raises:
            FileNotFoundError: there is no such file.
            StorageError: the store failed.
        """
        if mode != "rb":
            raise ValueError(f"mode is {mode!r}; a remote file is only opened to read bytes")
        with _asking(self):
            return RemoteFile(self, self.filesystem.open_input_file(self._path))

    def read_bytes(self) -> bytes:
        """The whole content."""
        with self.open() as file:
            return file.read()

    def read_text(self, encoding: str) -> str:
        """The whole content as text."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, content: bytes) -> None:
        """Write the whole file; a partial file never has this name.

        In an object store this is one upload under the final name; the store shows it only when it
        is complete. Elsewhere a temporary file is written and renamed.
        """
        if self.address.partition(":")[0] in _OBJECT_STORES:
            with self.filesystem.open_output_stream(self._path) as stream:
                stream.write(content)
            return
        self.filesystem.create_dir(posixpath.dirname(self._path), recursive=True)
        temporary = f"{posixpath.dirname(self._path)}/{part_name(self.name)}"
        with self.filesystem.open_output_stream(temporary) as stream:
            stream.write(content)
        self.filesystem.move(temporary, self._path)

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the file."""
        try:
            self.filesystem.delete_file(self._path)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def mkdir(self, parents: bool = True, exist_ok: bool = True) -> None:
        """Do nothing: a remote folder exists as soon as it contains a file."""

    def glob(self, pattern: str) -> Iterator[RemotePath]:
        """The files directly below with names that match the pattern."""
        for name in self.names(recursive=False):
            if fnmatchcase(name, pattern):
                yield self / name

    def names(self, *, recursive: bool) -> Iterator[str]:
        """The files below, as posix paths relative to this folder, in any order."""
        for info in self._listed(recursive=recursive):
            if info.is_file:
                yield info.path.lstrip("/")[len(self._path.strip("/")) + 1 :]

    def entries(self) -> Iterator[tuple[str, int]]:
        """The names directly below, of files and folders, with the sizes of the files."""
        for info in self._listed(recursive=False):
            yield info.base_name, info.size or 0

    def _listed(self, *, recursive: bool) -> list[fs.FileInfo]:
        from pyarrow import fs

        selector = fs.FileSelector(self._path, allow_not_found=True, recursive=recursive)
        with _asking(self):
            found: list[fs.FileInfo] = self.filesystem.get_file_info(selector)
        return found

    @property
    def _path(self) -> str:
        return f"{self.start}/{self.key}".rstrip("/")

    def _info(self) -> fs.FileInfo:
        with _asking(self):
            return self.filesystem.get_file_info(self._path)


class RemoteFile(io.RawIOBase):
    """An open remote file. A failing store raises ``StorageError``: this is not damage."""

    def __init__(self, path: RemotePath, file: Any) -> None:
        """Read from a ``pyarrow.NativeFile``."""
        self._remote, self._file = path, file

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position of the next byte."""
        return int(self._file.tell())

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position."""
        return int(self._file.seek(place, whence))

    def read(self, size: int | None = -1) -> bytes:
        """Up to ``size`` bytes, or all remaining bytes."""
        with _asking(self._remote):
            return bytes(self._file.read(None if size is None or size < 0 else size))

    def size(self) -> int:
        """The length of the file in bytes."""
        return int(self._file.size())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


@contextmanager
def _asking(path: RemotePath) -> Iterator[None]:
    """Raise ``StorageError`` for a failing store; pass on ``FileNotFoundError``."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(f"cannot reach {path}: {error}") from error


Location = Path | RemotePath


def is_address(given: object) -> bool:
    """True for an address of a remote file system; does not access it."""
    remote = isinstance(given, str) and file_address_path(given) is None
    return isinstance(given, RemotePath) or (remote and _ADDRESS.fullmatch(str(given)) is not None)


def location(given: str | os.PathLike[str] | RemotePath) -> Location:
    """The location of an address or of a path of this computer; nothing is read yet.

    Raises:
        DeconvError: it is not a path, the kind of address is unknown, it names a file of another
            computer, or it contains a password.
        StorageError: the store cannot be reached.
    """
    if isinstance(given, RemotePath):
        return given
    text = path_argument(given)
    local = file_address_path(text) if isinstance(given, str) else None
    parts = _ADDRESS.fullmatch(text) if isinstance(given, str) and local is None else None
    if parts is None:
        try:
            return Path(text if local is None else local).expanduser().absolute()
        except RuntimeError as error:  # no such user
            raise DeconvError(f"{given} is not a folder or file: {error}") from error
    scheme, host, key, options = parts.groups()
    if scheme == "s3" and "@" in host:
        raise DeconvError(
            f"the address of the bucket {host.rpartition('@')[2]} contains a key; leave it out and "
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
        )
    address = f"{scheme}://{host}"
    try:
        filesystem, start = _filesystem(scheme, address, options)
    except (ValueError, ImportError) as error:
        raise DeconvError(f"{given} is not an address that can be opened: {error}") from error
    except OSError as error:
        raise StorageError(f"cannot reach {given}: {error}") from error
    return RemotePath(address, key.strip("/"), options, filesystem, start.rstrip("/"))


def _filesystem(scheme: str, address: str, options: str) -> tuple[fs.FileSystem, str]:
    """The file system of an address, and the start of its paths."""
    from pyarrow import fs

    if scheme == "s3":  # start the upload when the content is ready: a small file is one PUT
        options = f"{options}&allow_delayed_open=true".lstrip("&")
    try:
        found: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(
            address + (f"?{options}" if options else "")
        )
        return found
    except ValueError as error:
        if "Unrecognized filesystem type" not in str(error):
            raise
    from fsspec.core import url_to_fs

    filesystem, start = url_to_fs(address)
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), start


def beside(folder: Location, given: str) -> Location:
    """The location of an address or path; a relative path starts from ``folder``."""
    if isinstance(folder, Path) and _ADDRESS.fullmatch(given) is None:
        return Path(os.path.normpath(folder / given))
    if isinstance(folder, Path) or _ADDRESS.fullmatch(given) or Path(given).is_absolute():
        return location(given)
    return replace(folder, key=posixpath.normpath(f"{folder.key}/{given}").strip("/"))


def names_below(inner: Location, outer: Location) -> tuple[str, ...] | None:
    """The path parts from ``outer`` down to ``inner``; () for the same folder, None if not below.

    Links and ``..`` are resolved. Case is ignored if the file system ignores it.
    """
    if isinstance(inner, RemotePath) or isinstance(outer, RemotePath):
        if isinstance(inner, Path) or isinstance(outer, Path) or inner.address != outer.address:
            return None
        names, start = (path.key.split("/") if path.key else [] for path in (inner, outer))
        return tuple(names[len(start) :]) if names[: len(start)] == start else None
    real = Path(os.path.realpath(inner))
    for place in (real, *real.parents):
        with suppress(OSError):
            if place.samefile(outer):
                return real.relative_to(place).parts
    return None


def source(path: Location) -> Any:
    """A file as pyarrow's Parquet reader accepts it."""
    return path if isinstance(path, Path) else path.open()


_PART = re.compile(r"\.(.+?)\.(?:[0-9]+\.)?[0-9a-f]{2,32}\.part", re.DOTALL)
_LONGEST = 200  # bytes; with the added parts, every file system accepts the name


def part_name(name: str) -> str:
    """A temporary name for a file while it is written; different for every write."""
    content = os.fsencode(name)
    kept = name if len(content) <= _LONGEST else content[:_LONGEST].decode("utf-8", "ignore")
    return f".{kept}.{uuid.uuid4().hex}.part"


def written_name(name: str) -> str | None:
    """The final name of a temporary file (shortened if long); None for other files."""
    match = _PART.fullmatch(name)
    return match[1] if match else None


def scan_lock(folder: Location) -> AbstractContextManager[object]:
    """A lock that prevents a second scan into the same index folder, local or shared.

    A remote store has no locks. Its index stays whole without one: blocks never change after they
    are written, and a block that is made twice has the same bytes. So two scans of the same images
    into one index only waste time. Two scans that disagree about the images (for example an update)
    must not run at once; nothing prevents this.

    Raises:
        filelock.Timeout: another process holds the lock (on entering).
    """
    if isinstance(folder, Path):
        return filelock.FileLock(folder / "scan.lock", blocking=False)
    return nullcontext()
