"""Bad and odd weight files, made on the fly: what is in them, and what has to become of each.

Others are in ``tests/core/network/test_sources.py`` with the behaviour they test: code in every
format, truncated files, wrong keys, shapes and types, NaN, arrays that claim to be huge.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from safetensors.torch import save

from tests.core.weight_writers import caffe_arrays, features, python2_npy
from tests.hostile.canary import Bait

READ = ""
CODE = "carries code"
TORCH = "carries code|not a readable PyTorch checkpoint"
NPY = "not a whole vgg19.npy"
MEMORY = r"takes more than 1\d\d MB of memory"
TIME = "takes longer than [23] s"
SAFETENSORS = "not a whole safetensors file"


@dataclass(frozen=True)
class WeightCase:
    """One file: how it is made, and the reason for refusing it as a pattern, or ``READ``."""

    suffix: str
    make: Callable[[], bytes]
    expected: str


# -- pickles -------------------------------------------------------------------------------------

ZEROS = b"\x80\x02"
OS_SYSTEM = b"cos\nsystem\n"
SPRING = b"ctests.hostile.canary\nspring\n"


def npy(pickled: bytes) -> bytes:
    """A NumPy file whose object is any pickle."""
    whole = python2_npy({})
    return whole[: 10 + int.from_bytes(whole[8:10], "little")] + pickled


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def long_text(count: int) -> bytes:
    return b"X" + struct.pack("<I", count) + b"x" * count


def nested(times: int) -> bytes:
    """A tuple that holds itself twice, that many times over: 2**times things in a few bytes."""
    return b"N\x85" + b"2\x86" * times


CODEC = b"c_codecs\nencode\n"
DTYPE = b"cnumpy\ndtype\n" + text("f4") + b"\x85R"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
NDARRAY = b"cnumpy\nndarray\n"


def copied_text(times: int) -> bytes:
    """A list of bytes objects, each a copy of one text of a megabyte."""
    once = CODEC + b"h\x00" + text("latin1") + b"\x86R"
    return ZEROS + long_text(2**20) + b"q\x000](" + once * times + b"e."


def attribute_of_the_program() -> bytes:
    """Sets an attribute on what the unpickler itself is made of."""
    return ZEROS + RECONSTRUCT + b"N}" + text("__kwdefaults__") + text("x") + b"s\x86b0N."


def header(text_: str) -> bytes:
    raw = text_.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(raw).to_bytes(2, "little") + raw


# -- PyTorch checkpoints -------------------------------------------------------------------------


def saved(content: object, *, legacy: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def repacked(
    change: Callable[[dict[str, bytes]], dict[str, bytes]],
    kind: int = zipfile.ZIP_STORED,
) -> bytes:
    """A checkpoint whose records were changed and zipped again."""
    with zipfile.ZipFile(io.BytesIO(saved(features()))) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in change(records).items():
            archive.writestr(name, content)
    return buffer.getvalue()


def with_pickle(pickled: bytes, kind: int = zipfile.ZIP_STORED) -> bytes:
    return repacked(lambda records: {**records, "archive/data.pkl": pickled}, kind)


def legacy(pickled: bytes) -> bytes:
    """The format before torch 1.6, with any pickle in the place of the content."""
    begin = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(value, begin, protocol=2)
    return begin.getvalue() + pickled + pickle.dumps([], protocol=2)


def claimed_storage(count: int) -> bytes:
    """features.0.weight of that many values, none of which is in the file."""
    storage = (
        b"("
        + text("storage")
        + b"ctorch\nFloatStorage\n"
        + text("0")
        + text("cpu")
        + b"\x8a\x08"
        + struct.pack("<q", count)
        + b"NtQ"
    )
    shape = b"\x8a\x08" + struct.pack("<q", count) + b"\x85"
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + b"K\x00"
        + shape
        + b"K\x01\x85\x89"
        + b"ccollections\nOrderedDict\n)RtR"
    )
    return legacy(ZEROS + b"}" + text("features.0.weight") + tensor + b"s.")


def shared_values() -> bytes:
    """Tensors that are all views of one: 100 of them are a hundred times the file."""
    values = torch.zeros(64 * 64 * 9)
    state = {f"features.{2 * n}.weight": values.view(64, 64, 3, 3) for n in range(100)}
    return saved(state | {f"features.{2 * n}.bias": values[:64] for n in range(100)})


def tar_of_old() -> bytes:
    """What torch wrote before 0.2: a tar; its links would be followed where it is unpacked."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("storages")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return buffer.getvalue()


def two_zips() -> bytes:
    """Readers that look from the front and from the back see different things."""
    return saved({}) + saved(features())


def twice_one_record() -> bytes:
    content = bytearray(repacked(lambda records: {**records, "archive/data.pkX": b"\x80\x02}."}))
    return bytes(content.replace(b"archive/data.pkX", b"archive/data.pkl"))


def end_records_that_differ() -> bytes:
    content = saved(features())
    end = content[-22:]
    start, length = struct.unpack_from("<I", end, 16)[0], struct.unpack_from("<I", end, 12)[0]
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, 1, 1, length, start)
    locator = struct.pack("<IIQI", 0x07064B50, 0, 8, 1)  # says the record is at byte 8
    return content[:-22] + record + locator + end


# -- safetensors ---------------------------------------------------------------------------------


def safetensors(described: object, data: bytes = b"", length: int | None = None) -> bytes:
    raw = described if isinstance(described, bytes) else json.dumps(described).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def tensor(shape: list[int], start: int, end: int, kind: str = "F32") -> dict[str, object]:
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


def one(described: dict[str, object]) -> dict[str, object]:
    return {"features.0.weight": described}


BOMB = b"cbuiltins\nbytearray\n" + b"\x8a\x06" + (2**40).to_bytes(6, "little") + b"\x85R"

WEIGHTS: dict[str, WeightCase] = {
    # pickles in .npy that only exhaust memory or time
    "npy: a memo numbered 2,147,483,647": WeightCase(
        ".npy", lambda: npy(ZEROS + b"Nr\xff\xff\xff\x7f."), MEMORY
    ),
    "npy: a text longer than the file": WeightCase(
        ".npy", lambda: npy(ZEROS + b"X\xff\xff\xff\xff" + b"x" * 99), MEMORY
    ),
    "npy: 2^62 bytes": WeightCase(
        ".npy", lambda: npy(b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x."), MEMORY
    ),
    "npy: a frame of 2^40 bytes": WeightCase(
        ".npy", lambda: npy(b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"N."), MEMORY
    ),
    "npy: a key that holds itself 2^60 times": WeightCase(
        ".npy", lambda: npy(ZEROS + b"}" + nested(60) + b"Ns."), TIME
    ),
    "npy: a set of what holds itself 2^60 times": WeightCase(
        ".npy", lambda: npy(b"\x80\x04(" + nested(60) + b"\x91."), TIME
    ),
    "npy: a place outside that holds itself 2^60 times": WeightCase(
        ".npy", lambda: npy(ZEROS + nested(60) + b"Q."), NPY
    ),
    "npy: a megabyte copied 1,000 times": WeightCase(
        ".npy", lambda: npy(copied_text(1_000)), MEMORY
    ),
    "npy: 2,000,000 instructions": WeightCase(
        ".npy", lambda: npy(ZEROS + b"N0" * 1_000_000 + b"N."), "holds a NoneType"
    ),
    "npy: an array of 1,000,000 axes": WeightCase(
        ".npy",
        lambda: npy(
            ZEROS
            + RECONSTRUCT
            + NDARRAY
            + b"K\x00\x85C\x01b\x87R(K\x01("
            + b"K\x01" * 400_000
            + b"t"
            + DTYPE
            + b"\x89C\x04abcdtb."
        ),
        "holds a int",
    ),
    "npy: a number of 100,000 digits": WeightCase(
        ".npy", lambda: npy(ZEROS + b"L" + b"9" * 100_000 + b"L\n."), NPY
    ),
    # pickles in .npy that want to run or change something
    "npy: a call by name": WeightCase(
        ".npy", lambda: npy(b"\x80\x04" + text("os") + text("system") + b"\x93."), CODE
    ),
    "npy: a call by an instruction of protocol 0": WeightCase(
        ".npy", lambda: npy(b"(S'true'\nios\nsystem\n."), CODE
    ),
    "npy: a call by an instruction of protocol 1": WeightCase(
        ".npy", lambda: npy(b"(" + OS_SYSTEM + b"S'true'\no."), CODE
    ),
    "npy: a call of this test": WeightCase(".npy", lambda: npy(ZEROS + SPRING + b")R."), CODE),
    "npy: an attribute of the program": WeightCase(
        ".npy", lambda: npy(attribute_of_the_program()), NPY
    ),
    "npy: an extension by number": WeightCase(".npy", lambda: npy(ZEROS + b"\x82\x01."), NPY),
    "npy: an array of what numpy.load would run": WeightCase(
        ".npy", lambda: npy(pickle.dumps(np.array([Bait()], object), 2)), CODE
    ),
    "npy: a header that is a program": WeightCase(
        ".npy", lambda: header("{'descr': __import__('os').system('true'), 'shape': ()}"), "NumPy"
    ),
    "npy: a header nested 10,000 times": WeightCase(
        ".npy", lambda: header("(" * 10_000 + ")" * 10_000), "NumPy"
    ),
    "npy: layers of numbers without end": WeightCase(
        ".npy", lambda: python2_npy({"conv1_" + "9" * 5000: [np.zeros(1), np.zeros(1)]}), "no conv"
    ),
    # .pth
    "pth: 2^40 bytes of nothing": WeightCase(
        ".pth", lambda: with_pickle(ZEROS + BOMB + b"."), CODE
    ),
    "pth: 2^40 bytes of nothing, legacy": WeightCase(
        ".pth", lambda: legacy(ZEROS + BOMB + b"."), CODE
    ),
    "pth: a tensor of 2^40 made by its class": WeightCase(
        ".pth",
        lambda: with_pickle(
            ZEROS + b"ctorch\nTensor\n\x8a\x06" + (2**40).to_bytes(6, "little") + b"\x85R."
        ),
        CODE,
    ),
    "pth: a text that doubles 40 times": WeightCase(
        ".pth",
        lambda: with_pickle(
            ZEROS
            + (CODEC * 41)
            + text("a")
            + text("latin1")
            + b"\x86R"
            + (text("hex") + b"\x86R") * 40
            + b"."
        ),
        "expected a state dict of tensors",
    ),
    "pth: 1,000 copies of 1,000,000 entries": WeightCase(
        ".pth",
        lambda: with_pickle(
            ZEROS
            + b"]("
            + b"K\x01K\x02\x86" * 100_000
            + b"eq\x000]("
            + b"ccollections\nOrderedDict\nh\x00\x85R" * 1_000
            + b"e."
        ),
        TIME,
    ),
    "pth: a key that holds itself 2^60 times": WeightCase(
        ".pth", lambda: with_pickle(ZEROS + b"}" + nested(60) + b"Ns."), TIME
    ),
    "pth: names by way of the stack": WeightCase(
        ".pth", lambda: with_pickle(b"\x80\x04" + text("os") + text("system") + b"\x93."), CODE
    ),
    "pth: this test": WeightCase(".pth", lambda: saved({"a": Bait()}), CODE),
    "pth: this test, legacy": WeightCase(".pth", lambda: saved({"a": Bait()}, legacy=True), CODE),
    "pth: this test in a second pickle": WeightCase(
        ".pth", lambda: legacy(ZEROS + b"}.")[:-4] + ZEROS + SPRING + b")R.", TORCH
    ),
    "pth: a zip that swells": WeightCase(
        ".pth", lambda: with_pickle(ZEROS + long_text(2**26) + b"0}.", zipfile.ZIP_DEFLATED), MEMORY
    ),
    "pth: a pickle of 65 MB": WeightCase(
        ".pth", lambda: with_pickle(ZEROS + long_text(65 * 2**20) + b"0}."), "it has no tensors"
    ),
    "pth: one record twice": WeightCase(
        ".pth", twice_one_record, "not a readable PyTorch checkpoint"
    ),
    "pth: two zips in one": WeightCase(".pth", two_zips, READ),
    "pth: something behind the zip": WeightCase(
        ".pth", lambda: saved(features()) + b"\x00" * 99, READ
    ),
    "pth: end records that contradict each other": WeightCase(
        ".pth", end_records_that_differ, "not a readable PyTorch checkpoint"
    ),
    "pth: a program for torch.jit": WeightCase(
        ".pth",
        lambda: repacked(lambda records: {**records, "archive/constants.pkl": b"\x80\x02)."}),
        "is a TorchScript program",
    ),
    "pth: a tar, as of old": WeightCase(".pth", tar_of_old, "not a readable PyTorch checkpoint"),
    "pth: 2^34 values that are not there": WeightCase(
        ".pth", lambda: claimed_storage(2**34), "claim|does not hold|not a readable"
    ),
    "pth: a hundred tensors with one content": WeightCase(".pth", shared_values, "share"),
    "pth: layers of numbers without end": WeightCase(
        ".pth",
        lambda: saved({f"features.{'9' * 5000}.weight": torch.zeros(1)}),
        "holds no network that is known here",
    ),
    "pth: keys that are no text": WeightCase(
        ".pth", lambda: saved({1: torch.zeros(1), (2,): torch.zeros(1)}), "it has no tensors"
    ),
    "pth: odd keys beside good ones": WeightCase(
        ".pth", lambda: saved(features() | {"../../x": torch.zeros(1), "<b>": torch.zeros(1)}), READ
    ),
    # safetensors
    "safetensors: a header of 2^63 bytes": WeightCase(
        ".safetensors", lambda: safetensors({}, length=2**63), SAFETENSORS
    ),
    "safetensors: a header longer than the file": WeightCase(
        ".safetensors", lambda: safetensors({}, length=10**6), SAFETENSORS
    ),
    "safetensors: a header nested 100,000 times": WeightCase(
        ".safetensors", lambda: safetensors(b"[" * 100_000), SAFETENSORS
    ),
    "safetensors: a shape of 2^62": WeightCase(
        ".safetensors",
        lambda: safetensors(one(tensor([2**31, 2**31], 0, 4)), bytes(4)),
        SAFETENSORS,
    ),
    "safetensors: a shape beyond every number": WeightCase(
        ".safetensors", lambda: safetensors(one(tensor([2**63, 8], 0, 4)), bytes(4)), SAFETENSORS
    ),
    "safetensors: content behind the end": WeightCase(
        ".safetensors", lambda: safetensors(one(tensor([1], 400, 404)), bytes(4)), SAFETENSORS
    ),
    "safetensors: content that ends before it begins": WeightCase(
        ".safetensors", lambda: safetensors(one(tensor([1], 4, 0)), bytes(4)), SAFETENSORS
    ),
    "safetensors: tensors that overlap": WeightCase(
        ".safetensors",
        lambda: safetensors(
            {"features.0.weight": tensor([1], 0, 4), "features.0.bias": tensor([1], 0, 4)}, bytes(4)
        ),
        SAFETENSORS,
    ),
    "safetensors: a type that there is not": WeightCase(
        ".safetensors", lambda: safetensors(one(tensor([1], 0, 4, "F99")), bytes(4)), SAFETENSORS
    ),
    "safetensors: numbers of 4 bits": WeightCase(
        ".safetensors", lambda: safetensors(one(tensor([2], 0, 1, "F4")), bytes(1)), "features.0"
    ),
    "safetensors: numbers of 8 bits": WeightCase(
        ".safetensors",
        lambda: save({n: t.to(torch.float8_e4m3fn) for n, t in features().items()}),
        READ,
    ),
    "safetensors: a preprocessing that is a path": WeightCase(
        ".safetensors", lambda: save(features(), {"preprocessing": "../../x"}), "is not known"
    ),
    # layers
    "npy: five convolutions of one block each": WeightCase(
        ".npy",
        lambda: python2_npy({f"conv{n}_1": caffe_arrays()["conv1_1"] for n in range(1, 6)}),
        "5 convolutions in 5 blocks",
    ),
}
