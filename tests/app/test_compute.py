"""One computation at a time; the newest request wins; what is kept stays bounded."""

import threading

import numpy as np
import pytest

from deconv_core import Activation, Box, Reconstruction, Unit
from deconv_core.errors import CancelledError
from deconv_dashboard.server.locks import Newest, Store, Turn


def test_a_new_request_cancels_the_one_before() -> None:
    newest = Newest()
    first = newest.begin()
    assert not first.is_set()
    second = newest.begin()
    assert first.is_set()
    assert not second.is_set()


def test_sessions_do_not_cancel_each_other() -> None:
    mine, yours = Newest(), Newest()
    flag = mine.begin()
    yours.begin()
    assert not flag.is_set()


def test_someone_no_longer_wanted_stops_waiting() -> None:
    turn, wanted, given_up = Turn(), threading.Event(), threading.Event()

    def wait() -> None:
        try:
            with turn.taken(wanted):
                pass
        except CancelledError:
            given_up.set()

    with turn.taken(threading.Event()):
        waiter = threading.Thread(target=wait)
        waiter.start()
        wanted.set()
        assert given_up.wait(240)
    waiter.join()


def test_a_cancelled_request_does_not_start() -> None:
    turn, flag = Turn(), threading.Event()
    flag.set()
    with pytest.raises(CancelledError), turn.taken(flag):
        pass
    with turn.taken(threading.Event()):  # the lock was given back
        pass


def _picture(side: int) -> Reconstruction:
    box = Box(0, 0, side, side)
    activation = Activation(Unit("conv1_1", 0), "a.png", 0, 0, 1.0)
    pixels = np.zeros((3, side, side), np.float32)
    return Reconstruction(activation, box, box, pixels, np.zeros((side, side, 3), np.uint8))


def _size(picture: Reconstruction) -> int:
    return picture.pixels.nbytes + picture.patch.nbytes


def test_the_store_drops_what_was_not_used_for_longest() -> None:
    store: Store[str, Reconstruction] = Store(2 * 15 * 100, _size)  # two of 10 x 10 pixels
    for key in "ab":
        store.put(key, _picture(10))
    store.get("a")
    store.put("c", _picture(10))
    assert [key for key in "abc" if store.get(key)] == ["a", "c"]
