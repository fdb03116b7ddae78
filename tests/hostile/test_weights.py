"""Every bad or odd weight file is read or refused in words, running nothing, in bounded memory."""

import io
import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from deconv_core import load_network
from deconv_core.errors import DeconvError
from deconv_core.network import caffe_npy, checkpoint
from deconv_core.network.restricted_pickle import RestrictedUnpickler
from tests.conftest import Run
from tests.hostile.canary import nothing_happens
from tests.hostile.weights import MEMORY, TIME, WEIGHTS


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_weight_file_is_read_or_refused(kind: str, tmp_path: Path) -> None:
    case = WEIGHTS[kind]
    if case.expected in (MEMORY, TIME) and sys.platform != "linux":
        pytest.skip("the system limits both on Linux only")
    path = tmp_path / f"a{case.suffix}"
    path.write_bytes(case.make())
    with nothing_happens(tmp_path):
        try:
            load_network(path)
            found = ""
        except DeconvError as error:
            found = str(error)
    assert re.search(case.expected, found) if case.expected else found == "", found
    assert len(found) < 1000


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by the system here")
def test_all_of_them_are_refused_within_a_gigabyte(run: Run, tmp_path: Path) -> None:
    for number, case in enumerate(WEIGHTS.values()):
        if case.expected == TIME:
            continue
        (tmp_path / f"{number}{case.suffix}").write_bytes(case.make())
    program = (
        "import os, resource, sys, time, warnings; warnings.simplefilter('ignore')\n"
        "from deconv_core import DeconvError, load_network\n"
        "load_network('demo')\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**30,) * 2)\n"
        "for name in sorted(os.listdir(sys.argv[1])):\n"
        "    try: load_network(os.path.join(sys.argv[1], name))\n"
        "    except DeconvError as error:\n"
        "        assert 'MemoryError' not in str(error), (name, error)\n"
        "status = open('/proc/self/status').read()\n"  # what getrusage says includes the parent's
        "print(status.partition('VmHWM:')[2].split()[0])"
    )
    done = run([sys.executable, "-c", program, str(tmp_path)])
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 2**20  # kB


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
