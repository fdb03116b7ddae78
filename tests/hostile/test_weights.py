"""Every bad or odd weight file is read or refused in words, running nothing, in bounded memory."""

import io
import json
import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deconv_core.network import caffe_npy, checkpoint
from deconv_core.network.restricted_pickle import RestrictedUnpickler
from tests.conftest import Run
from tests.hostile.weights import MEMORY, TIME, WEIGHTS

ROOT = Path(__file__).parents[2]


PROGRAM = """
import json, resource, sys, warnings
from pathlib import Path
from deconv_core import DeconvError, load_network
from tests.hostile.canary import nothing_happens

warnings.simplefilter("ignore")
load_network("demo")
if sys.platform == "linux":
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30,) * 2)
said = {}
for name in sorted(Path(sys.argv[1]).iterdir()):
    try:
        with nothing_happens(name.parent):
            try:
                load_network(name)
                said[name.stem] = ""
            except DeconvError as error:
                said[name.stem] = str(error)
    except BaseException as error:
        said[name.stem] = f"{type(error).__name__} instead of a DeconvError: {error}"
if sys.platform == "linux":  # what getrusage says includes the parent's
    status = open("/proc/self/status").read()
    said["memory"] = int(status.partition("VmHWM:")[2].split()[0])
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a program that may take a gigabyte says of each file, by number; "" if it reads it.

    Also "memory": the most kilobytes that it took, on Linux.
    """
    folder = tmp_path_factory.mktemp("weights")
    for number, case in enumerate(WEIGHTS.values()):
        if sys.platform == "linux" or case.expected not in (MEMORY, TIME):
            (folder / f"{number}{case.suffix}").write_bytes(case.make())
    done = run([sys.executable, "-c", PROGRAM, str(folder)], cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_a_weight_file_is_read_or_refused(kind: str, said: dict[str, Any]) -> None:
    case = WEIGHTS[kind]
    if case.expected in (MEMORY, TIME) and sys.platform != "linux":
        pytest.skip("the system limits both on Linux only")
    found = said[str(list(WEIGHTS).index(kind))]
    assert re.search(case.expected, found) if case.expected else found == "", found
    assert "MemoryError" not in found
    assert len(found) < 1000


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by the system here")
def test_all_of_them_take_less_than_a_gigabyte(said: dict[str, Any]) -> None:
    assert said["memory"] < 2**20  # kB


@pytest.mark.parametrize("names", [checkpoint.NAMES, caffe_npy.NAMES])
def test_nothing_that_a_pickle_may_ask_for_can_be_changed_by_it(
    names: Mapping[str, object], tmp_path: Path
) -> None:
    for name, thing in names.items():
        module, _, last = name.rpartition(".")
        asked = f"c{module}\n{last}\n".encode()
        for state in ("({}(X\x01\x00\x00\x00aK\x01ut", "}X\x01\x00\x00\x00aK\x01s"):
            changing = b"\x80\x02" + asked + state.encode("latin1") + b"b."
            with pytest.raises((pickle.UnpicklingError, TypeError, AttributeError)):
                RestrictedUnpickler(tmp_path, io.BytesIO(changing), names, "", "utf-8").load()
            assert not hasattr(thing, "a")
