"""Bands of a feature map's distribution that the Feature map page can show in place of the top."""

from __future__ import annotations

import re

from deconv_core.index.ranked_peaks import RankedPeaks
from deconv_dashboard.wording import counted

TOP, WEAKEST, SILENT = "top", "weakest", "silent"
BANDS = {TOP: "Top", "75": "75 %", "50": "50 %", "25": "25 %", WEAKEST: "Weakest", SILENT: "Silent"}
"""Name in the address -> title on the page; the first is shown if the address names none."""
_HALF = 0.05
"""A band named after a percentile reaches this far to both sides of it."""
_NUMBER = r"\d{1,9}(?:\.\d{1,9})?(?:e-?[0-2]?\d)?"
_BAR = re.compile(f"({_NUMBER})to({_NUMBER})(max|)")


def known(band: str) -> bool:
    """True for a name in ``BANDS`` and for a bar of a histogram, "3.2to3.6", "0.2to0.22max"."""
    return band in BANDS or _BAR.fullmatch(band) is not None


def bar(least: float, below: float, *, of_largest: bool = False) -> str:
    """The name of the band of peaks from ``least`` to below ``below``.

    Both are activations, or shares of the largest peak, which differ from map to map.
    """
    return f"{least:.6g}to{below:.6g}{'max' if of_largest else ''}".replace("e+", "e")


def within(band: str, ranked: RankedPeaks) -> RankedPeaks:
    """The images of a band, those in which the map is silent only in the band "silent"."""
    if band == SILENT:
        return ranked.silent
    if found := _BAR.fullmatch(band):
        largest = float(ranked.table["value"].max()) if found[3] and len(ranked) else 1.0
        return ranked.between(float(found[1]) * largest, float(found[2]) * largest).firing
    if band == WEAKEST:
        return ranked.firing
    if part := percentiles(band):
        return ranked.band(*part).firing
    raise ValueError(f"there is no band {band!r}")


def percentiles(band: str) -> tuple[float, float] | None:
    """Where a band starts and ends, as shares of the images; None for those without percentiles."""
    if band not in BANDS or not band.isdigit():
        return None
    return int(band) / 100 - _HALF, int(band) / 100 + _HALF


def shown_of(band: str, ranked: RankedPeaks, k: int) -> RankedPeaks:
    """The k images of a band to show, the weakest first: evenly spaced by rank, or its end.

    The top has answers of its own (``answers.find``), which are checked in float32.
    """
    part = within(band, ranked)
    return part.first(k) if band == WEAKEST else part.spread(k)


def described(band: str, ranked: RankedPeaks, k: int) -> str:
    """What a band is and how many of its images are shown, in words."""
    part = within(band, ranked)
    count, few = len(part), min(k, len(part))
    images = counted(count, "image")
    some = "all are shown" if few == count else f"{few} of them are shown, evenly spaced by rank"
    if not count and (band == SILENT or _BAR.fullmatch(band)):
        return "No image is in this part of the distribution."
    if band == SILENT:
        return f"The map is silent in {images}; {some}. There is no activation to reconstruct."
    if band == WEAKEST:
        return f"The {counted(few, 'image')} in which the map fires weakest."
    if found := _BAR.fullmatch(band):
        low, high, of = found[1], found[2], ""
        if found[3]:
            low, high = (f"{100 * float(share):.4g} %" for share in (low, high))
            of = " of the largest one"
        return f"Peaks from {low} to below {high}{of}: {images}; {some}."
    shares = percentiles(band)
    assert shares is not None
    low, high = (round(100 * share) for share in shares)
    silent = len(ranked.band(*shares)) - count
    rest = f", and {silent:,} in which it is silent" if silent else ""
    return (
        f"Percentiles {low} to {high} of the peaks: {images} in which the map fires{rest}; {some}."
    )
