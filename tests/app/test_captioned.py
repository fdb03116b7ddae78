"""The picture with captions: every letter is drawn or visibly replaced; all text fits its tile."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

import deconv_dashboard
from deconv_core import ActivationIndex, ImageFolder, Network, Scale, reconstruct
from deconv_core.output.provenance import Provenance
from deconv_core.pictures import Reconstruction
from deconv_dashboard.gallery.captioned import drawable, fitted, font, not_drawn, sheet

FONTS = Path(deconv_dashboard.__file__).parent / "gallery" / "fonts"
LETTERS = "éöüßñçøåĀčłőşžıİ" + "жЩёЇљ" + "αΩήψ" + "–—×±·°…“”‘’„«»€№™½²≈≤→" + "ԱՖაჰ"
LACKED = "猫の写真한글ไทยहिन्दी🥑🦉" + "שלוםسلام"


def shapes(letter: str) -> bytes:
    """A letter as Pillow draws it, asked without the product."""
    at_40 = ImageFont.truetype(FONTS / "DejaVuSans.ttf", 40)
    return bytes(at_40.getmask(letter)) + bytes(str(at_40.getmask(letter).size), "ascii")


@pytest.mark.parametrize("letter", LETTERS)
def test_letters_of_europe_and_signs_are_drawn(letter: str) -> None:
    assert shapes(letter) != shapes("\uffff")  # the box for what a font lacks
    assert drawable(letter) == letter
    assert not_drawn(letter) == ""


@pytest.mark.parametrize("letter", [letter for letter in LACKED if letter.isprintable()])
def test_a_letter_that_cannot_be_drawn_is_a_question_mark_and_no_box(letter: str) -> None:
    assert drawable(f"a{letter}1.jpg") == "a\ufffd1.jpg"
    assert not_drawn(["a.jpg", f"{letter}{letter}"]) == letter
    assert shapes("\ufffd") != shapes("\uffff")


def test_accents_kept_apart_from_their_letters_are_drawn_on_them() -> None:
    assert drawable("Cafe\u0301/o\u0308.jpg") == "Café/ö.jpg"  # as macOS writes names


def test_a_name_turns_nothing_round() -> None:
    assert drawable("a\u202egpj.exe\n") == "a\ufffdgpj.exe\ufffd"


@pytest.mark.parametrize("width", [30, 80, 150, 300])
@pytest.mark.parametrize("name", ["Щ" * 60, "i" * 200, "W" * 90 + "_0042.jpg", "猫" * 70, "a.jpg"])
def test_captions_fit_and_keep_their_beginning_and_end(name: str, width: int) -> None:
    drawn = fitted(name, font(11), width)
    left, _, right, _ = font(11).getbbox(drawn)
    assert left >= 0
    assert right <= width + 1
    if drawn != drawable(name):
        start, _, end = drawn.partition("…")
        assert drawable(name).startswith(start)
        assert drawable(name).endswith(end)
        assert abs(len(start) - len(end)) <= 1


def named(made: Reconstruction, image_id: str) -> Reconstruction:
    return replace(made, activation=replace(made.activation, image_id=image_id))


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("layer", ["conv1_2", "conv3_4", "conv5_4"])
def test_nothing_is_drawn_between_the_tiles(
    network: Network, images: ImageFolder, index: ActivationIndex, layer: str, large: bool
) -> None:
    made = reconstruct(network, images, index.top(layer, k=4))
    long = [named(picture, f"{'Ж' * 99}/{'Щ' * 99}.jpg") for picture in made]
    from_ = Provenance("Ж" * 99, "", "", "Щ" * 99, "crop", (224, 224))
    png = sheet(long, "é" * 500, network.layers[layer], Scale.shared(made), from_, large=large)
    drawn = np.asarray(Image.open(io.BytesIO(png)))
    side = (drawn.shape[1] - 4 * 8) // 6 - 8
    for column in range(6):  # the gap to the right of each column is white below the heading
        right = 8 + (column // 3) * 16 + (column + 1) * (side + 8)
        assert (drawn[44:, right - 8 : right] == 255).all()
    assert (drawn[:, -8:] == 255).all()
    assert (drawn[44 + side :, :] < 255).any()


def test_no_part_of_the_computer_decides_how_text_is_set() -> None:
    # Pillow's other engine needs FriBiDi, which is there on some computers only.
    assert font(11).layout_engine == ImageFont.Layout.BASIC
    assert Path(font(11).path) == FONTS / "DejaVuSans.ttf"


def test_the_font_is_small_and_has_its_licence_beside_it() -> None:
    assert (FONTS / "DejaVuSans.ttf").stat().st_size < 800_000
    assert "Bitstream Vera Fonts Copyright" in (FONTS / "LICENSE").read_text("utf-8")
