"""How specific pictures are, layer by layer: measured in the background, on the Method page."""

import json

import pandas as pd
import pytest

from deconv_core import ImageFolder, Network
from deconv_core.index.activation_index import ActivationIndex
from deconv_core.specificity.layer_sample import measure_layers
from deconv_core.specificity.layer_table import read_layer_table
from deconv_dashboard.gallery.layer_samples_panel import in_words
from deconv_dashboard.jobs.layer_samples import sample_path, sampling_state
from tests.app.conftest import Home, OpenPage, words
from tests.app.tiny_queue import until

LAYER = "conv3_1"


def test_a_layer_is_measured_on_request_and_shown(
    home: Home, open_page: OpenPage, network: Network, images: ImageFolder, index: ActivationIndex
) -> None:
    app = open_page("method")
    assert not app.get("plotly_chart")
    assert app.button(key="sample").disabled
    app.multiselect(key="sampled_layers").select(LAYER).run()
    app.button(key="sample").click().run()
    assert not app.exception
    where = home.registry, home.dataset, home.network
    until(lambda: not sampling_state(*where).active, lambda: sampling_state(*where))
    assert sampling_state(*where).status == "done"

    expected = measure_layers(network, images, index, [LAYER])
    app = open_page("method")
    alike, deletion = (json.loads(chart.proto.spec)["data"] for chart in app.get("plotly_chart"))
    assert alike[0]["y"] == pytest.approx(expected["spearman"].tolist(), abs=1e-3)
    assert alike[1]["y"] == pytest.approx(expected["random_networks"].tolist(), abs=1e-3)
    shares = expected["beaten"] / expected["other_maps"]
    assert deletion[0]["y"] == pytest.approx(shares.tolist(), abs=0.26), "rounding may tip one map"
    assert deletion[0]["x"] == [LAYER] * len(expected)
    assert f"At {LAYER} the similarity" in words(app)
    offered = app.multiselect(key="sampled_layers").options
    assert LAYER not in offered
    assert set(offered) == set(index.layers) - {LAYER}


def test_the_table_goes_with_the_index(home: Home) -> None:
    path = sample_path(home.registry, home.dataset, home.network)
    path.write_text("layer\n")
    home.registry.delete_index(home.index_path)
    assert not path.exists()


def test_the_demo_shows_what_ships(open_page: OpenPage) -> None:
    app = open_page("method", network="demo", dataset="demo")
    assert len(app.get("plotly_chart")) == 2
    assert "At conv2_1 the similarity" in words(app)
    assert "At pool5 the similarity" in words(app)
    assert "sampled_layers" not in {one.key for one in app.multiselect}, "all are measured"


def test_the_words_are_of_the_first_and_the_last_layer_that_have_deletion() -> None:
    columns = ["layer", "spearman", "random_networks", "beaten", "other_maps", "left"]
    rows = [
        ("conv1_1", 0.25, 0.5, None, 4, None, None),
        ("conv2_1", 0.5, 0.5, 3, 4, 0.5, 0.5),
        ("conv3_1", 0.75, 0.5, 2, 4, 0.5, 0.5),
        ("conv4_1", 0.875, 0.5, 1, 4, 0.5, 0.5),
    ]
    table = pd.DataFrame(rows, columns=[*columns, "left_random"])
    assert in_words(table) == (
        "At conv2\\_1 the similarity to other maps' pictures is 0.50, and a map's own picture "
        "lowers the activation faster than 75 % of them. At conv4\\_1 the similarity to other "
        "maps' pictures is 0.88, and a map's own picture lowers the activation faster than 25 % "
        "of them."
    )
    assert in_words(table[:1]) == in_words(table[:0]) == ""


def test_a_damaged_table_counts_as_not_measured(home: Home, open_page: OpenPage) -> None:
    path = sample_path(home.registry, home.dataset, home.network)
    path.write_bytes(b"\x00\xff,")
    assert read_layer_table(path, ActivationIndex.open(home.index_path)).empty
    assert not open_page("method").get("plotly_chart")
