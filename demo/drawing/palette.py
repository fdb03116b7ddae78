"""Gouache colours: named families, with warm light and violet shadow."""

import colorsys
import math

from .chance import Chance

Colour = tuple[int, int, int]

WARM_WHITE: Colour = (255, 248, 232)
DEEP_SHADOW: Colour = (52, 36, 66)
INK: Colour = (44, 36, 48)

# Skin and fur share these colours, so that only the parts of a head distinguish people, dogs, cats
# and owls.
COATS: tuple[Colour, ...] = (
    (246, 222, 196),
    (238, 200, 164),
    (222, 176, 132),
    (204, 148, 100),
    (172, 116, 78),
    (132, 86, 60),
    (98, 64, 50),
)
FURS: tuple[Colour, ...] = (
    (222, 136, 72),
    (240, 236, 226),
    (160, 156, 156),
    (84, 80, 88),
    (112, 112, 128),
)
HAIRS: tuple[Colour, ...] = (
    (56, 42, 44),
    (92, 60, 44),
    (136, 84, 50),
    (190, 120, 60),
    (226, 184, 104),
    (186, 74, 48),
    (150, 148, 156),
    (226, 222, 214),
    (64, 56, 80),
    (208, 96, 120),
    (70, 120, 130),
)
GROUNDS: tuple[Colour, ...] = (
    (132, 178, 186),
    (98, 144, 160),
    (176, 200, 186),
    (226, 196, 150),
    (220, 164, 140),
    (238, 220, 190),
    (196, 160, 176),
    (150, 152, 190),
    (120, 156, 120),
    (232, 178, 86),
    (86, 110, 132),
    (206, 120, 104),
    (214, 218, 222),
    (104, 98, 124),
    (160, 186, 214),
)
BRIGHTS: tuple[Colour, ...] = (
    (214, 78, 62),
    (236, 158, 52),
    (244, 206, 88),
    (80, 148, 108),
    (44, 122, 140),
    (62, 92, 160),
    (140, 90, 160),
    (222, 112, 140),
    (244, 238, 222),
    (60, 56, 76),
    (150, 196, 206),
    (190, 90, 60),
)
SKIES: tuple[Colour, ...] = (
    (160, 202, 220),
    (186, 214, 222),
    (240, 206, 170),
    (244, 188, 156),
    (130, 160, 196),
    (70, 80, 120),
    (206, 196, 216),
    (224, 226, 214),
)
GREENS: tuple[Colour, ...] = (
    (116, 154, 84),
    (84, 132, 88),
    (60, 108, 84),
    (150, 170, 92),
    (176, 184, 104),
    (72, 120, 110),
)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The first colour with a share (0 to 1) of the second."""
    r, g, b = (round(a + (c - a) * share) for a, c in zip(first, second, strict=True))
    return r, g, b


def light(colour: Colour, share: float = 0.3) -> Colour:
    """The colour in light."""
    return mix(colour, WARM_WHITE, share)


def shadow(colour: Colour, share: float = 0.3) -> Colour:
    """The colour in shadow."""
    return mix(colour, DEEP_SHADOW, share)


def vary(chance: Chance, colour: Colour, amount: float = 1.0) -> Colour:
    """A similar colour: a little different in hue, strength and brightness."""
    hue, strength, value = colorsys.rgb_to_hsv(*(c / 255 for c in colour))
    hue = (hue + chance.about(0, 0.03 * amount)) % 1
    strength = min(1.0, max(0.0, strength + chance.about(0, 0.1 * amount)))
    value = min(1.0, max(0.08, value + chance.about(0, 0.08 * amount)))
    r, g, b = colorsys.hsv_to_rgb(hue, strength, value)
    return round(r * 255), round(g * 255), round(b * 255)


def pick(chance: Chance, family: tuple[Colour, ...], amount: float = 1.0) -> Colour:
    """A random colour of a family."""
    return vary(chance, chance.pick(family), amount)


def distance(first: Colour, second: Colour) -> float:
    """The distance of two colours, from 0 to about 440."""
    return math.dist(first, second)


def pick_apart(
    chance: Chance, family: tuple[Colour, ...], other: Colour, least: float = 80
) -> Colour:
    """A random colour of a family that differs visibly from another colour."""
    for _ in range(12):
        colour = pick(chance, family)
        if distance(colour, other) >= least:
            return colour
    return colour
