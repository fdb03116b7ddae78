"""The rule that undoes rectifications, on the pages and in what they save."""

import numpy as np
import pytest

from deconv_core import ImageFolder, Network, reconstruct
from deconv_core.index.activation_index import ActivationIndex
from deconv_dashboard.gallery import answers
from deconv_dashboard.values import Pictures
from tests.app.conftest import OpenPage, address, key_now, words

UNIT = "conv4_4", 3


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Pictures]:
    """What the pages reconstruct."""
    found: list[Pictures] = []
    plain = answers.reconstructing.watched

    def watched(*given: object, **how: object) -> Pictures:
        found.append(plain(*given, **how))  # type: ignore[arg-type]
        return found[-1]

    monkeypatch.setattr(answers.reconstructing, "watched", watched)
    return found


def test_the_feature_map_page_shows_the_chosen_rule(
    open_page: OpenPage,
    index: ActivationIndex,
    network: Network,
    images: ImageFolder,
    made: list[Pictures],
) -> None:
    app = open_page("feature_map", layer=UNIT[0], map=str(UNIT[1]))
    for rule in ("guided", "gradient", "deconvnet"):
        app.button_group(key=key_now(app, "pick_rule")).set_value(rule).run()
        assert address(app).get("rule", "deconvnet") == rule
        expected = reconstruct(network, images, index.top(*UNIT), rule=rule)  # type: ignore[arg-type]
        for one, other in zip(made[-1].all, expected, strict=True):
            assert one.rule == rule
            difference = np.abs(one.pixels - other.pixels).max()
            assert difference <= 1e-5 * np.abs(other.pixels).max()
    assert "Reconstructions (deconvnet)" in words(app)


def test_the_rule_is_remembered_from_map_to_map_and_on_the_image_page(open_page: OpenPage) -> None:
    app = open_page("feature_map", layer=UNIT[0], map=str(UNIT[1]), rule="guided")
    app.button(key="next_map").click().run()
    assert address(app)["rule"] == "guided"
    assert "Reconstructions (guided backpropagation)" in words(app)
    assert "(gradient)" in words(open_page("image", layer=UNIT[0], rule="gradient"))


def test_an_unknown_rule_is_said(open_page: OpenPage) -> None:
    app = open_page("feature_map", layer=UNIT[0], map="3", rule="<b>")
    assert any("There is no rule" in warning.value for warning in app.warning)
    assert "rule" not in address(app)


def test_the_three_rules_beside_each_other(
    open_page: OpenPage, index: ActivationIndex, network: Network, images: ImageFolder
) -> None:
    app = open_page("feature_map", layer=UNIT[0], map=str(UNIT[1]), tab="rules")
    best = index.top(*UNIT)[:1]
    by_rule = [
        np.abs(reconstruct(network, images, best, rule=rule)[0].pixels).ravel()  # type: ignore[arg-type]
        for rule in ("deconvnet", "guided", "gradient")
    ]
    found = np.corrcoef(by_rule)
    assert (
        f"deconvnet and guided {found[0, 1]:.2f}, deconvnet and gradient {found[0, 2]:.2f}, "
        f"guided and gradient {found[1, 2]:.2f}" in words(app)
    )
