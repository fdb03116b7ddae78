"""Addresses and boxes."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deconv_core.errors import DeconvError
from deconv_core.units import Box, Unit, as_stored, label_of
from tests.thorough import examples


def test_an_address_is_written_as_layer_and_channel() -> None:
    assert str(Unit("conv4_4", 171)) == "conv4_4/171"
    assert Unit.parse("conv4_4/171") == Unit("conv4_4", 171)
    assert Unit.parse(" pool5/0\n") == Unit("pool5", 0)
    assert Unit.parse("layer2.0.conv1/171") == Unit("layer2.0.conv1", 171)


@examples()
@given(
    st.sampled_from(["conv1_1", "conv5_4", "pool3", "layer4.2", "features.3.expand1x1", "2"]),
    st.integers(0, 999_999),
)
def test_what_is_written_is_read_again(layer: str, channel: int) -> None:
    assert Unit.parse(str(Unit(layer, channel))) == Unit(layer, channel)


@pytest.mark.parametrize(
    "text",
    [
        *("", "conv4_4", "conv4_4/", "/171", "conv4_4/-1", "conv4_4/1.5"),
        *("conv4_4/171/2", "conv4_4 /171", "conv4_4/1234567", "conv4_4/٣x", "a,b/1"),
    ],
)
def test_anything_else_is_an_error_with_an_example(text: str) -> None:
    with pytest.raises(DeconvError, match=r"not the address of a feature map.*conv4_4/171"):
        Unit.parse(text)


numbers = st.integers(-300, 300)
lengths = st.integers(0, 300)


@examples()
@given(numbers, numbers, lengths, lengths, st.integers(0, 40), st.integers(0, 40))
def test_a_clipped_box_holds_exactly_the_pixels_inside(
    top: int, left: int, height: int, width: int, picture_height: int, picture_width: int
) -> None:
    clipped = Box(top, left, height, width).clip(picture_height, picture_width)
    rows = [row for row in range(top, top + height) if 0 <= row < picture_height]
    columns = [column for column in range(left, left + width) if 0 <= column < picture_width]
    assert list(range(clipped.top, clipped.bottom)) == rows
    assert list(range(clipped.left, clipped.right)) == columns
    assert clipped.height >= 0
    assert clipped.width >= 0


@examples()
@given(numbers, numbers, lengths, lengths)
def test_clipping_twice_is_clipping_once(top: int, left: int, height: int, width: int) -> None:
    once = Box(top, left, height, width).clip(224, 224)
    assert once.clip(224, 224) == once


@pytest.mark.parametrize(
    ("image_id", "label"),
    [
        ("dog/1.jpg", "dog"),
        ("dog/brown/1.jpg", "dog"),
        ("1.jpg", ""),
        ("a b/ü.png", "a b"),
        ("-/x", "-"),
    ],
)
def test_the_label_is_the_first_folder(image_id: str, label: str) -> None:
    assert label_of(image_id) == label


@examples()
@given(st.text(), st.text())
def test_a_label_never_holds_a_slash(folder: str, rest: str) -> None:
    assume("/" not in folder)
    assert label_of(f"{folder}/{rest}") == folder


# "café" with é as one character and as e and an accent; "ế" has a third form, half composed.
ONE, TWO = "caf\u00e9", "cafe\u0301"
WHOLE, HALF, APART = "\u1ebf", "\u00ea\u0301", "e\u0302\u0301"


@pytest.mark.parametrize(
    ("text", "names", "meant"),
    [
        (ONE, [ONE, "dog"], [ONE]),
        (ONE, [TWO, "dog"], [TWO]),
        (TWO, [ONE], [ONE]),
        (ONE, [TWO, ONE], [ONE]),
        (TWO, [TWO, ONE], [TWO]),
        (HALF, [WHOLE, APART], [WHOLE, APART]),
        (HALF, [WHOLE, APART, HALF], [HALF]),
        ("cafe", [ONE, TWO], []),
        ("CAFÉ", [ONE], []),
        ("", ["", "a"], [""]),
    ],
)
def test_a_typed_name_is_the_same_or_composed_in_another_way(
    text: str, names: list[str], meant: list[str]
) -> None:
    assert as_stored(text, names) == meant
