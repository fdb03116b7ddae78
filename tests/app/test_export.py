import json
import re
import time
import zipfile

import pytest
from streamlit.testing.v1 import AppTest

from deconv_core.index.activation_index import ActivationIndex
from deconv_core.output.selection import Selection
from deconv_core.units import Unit
from deconv_dashboard.jobs.exports import Export, delete_export, exports, file_name, start_export
from tests.app.conftest import Home, OpenPage, words


def finished(home: Home, seconds: float = 240) -> Export:
    until = time.monotonic() + seconds
    while (export := exports(home.registry)[0]).state.active:
        assert time.monotonic() < until, "the export does not end"
        time.sleep(0.05)
    return export


def unpacked(export: Export) -> zipfile.Path:
    """The one folder in a zip; it is called like the zip."""
    (folder,) = zipfile.Path(export.path).iterdir()
    assert f"{folder.name}.zip" == export.name
    return folder


def test_builds_what_was_chosen(home: Home, open_page: OpenPage) -> None:
    app = open_page("export", layer="conv2_2")
    app.number_input(key="export_count").set_value(2).run()
    app.button(key="export_build").click().run()
    assert not app.exception
    export = finished(home)
    progress = export.state.progress
    assert (export.state.status, progress.done, progress.total) == ("done", 3, 3)
    folder = unpacked(export)
    held = [name.removeprefix(folder.at) for name in zipfile.ZipFile(export.path).namelist()]
    assert f"one folder, `{folder.name}`" in words(app)
    (listed,) = [shown.value for shown in app.markdown if shown.value.startswith("- `index.html`")]
    told = re.findall(r"^- `(.+)`", listed, re.MULTILINE)
    assert len(told) == 6
    assert all(any(name.startswith(promised) for name in held) for promised in told)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["dataset"] == "my drawings"
    assert len(manifest["maps"]) == 3
    app.run()
    assert [button.label for button in app.get("download_button")] == ["Download"]


def test_a_typed_list(home: Home, open_page: OpenPage) -> None:
    app = typed(open_page("export"), "conv2_1/0-2, pool1/1")
    assert "4 feature maps, 0 whole layers" in words(app)
    assert not app.button(key="export_build").disabled


def typed(app: AppTest, text: str) -> AppTest:
    app.segmented_control(key="export_how").set_value("typed").run()
    app.text_area(key="export_typed").input(text).run()
    assert not app.exception
    return app


@pytest.mark.parametrize("text", ["conv9_9/1", "conv2_1/999", "rubbish", "conv2_1/0-999999"])
def test_a_typed_list_that_is_wrong(open_page: OpenPage, text: str) -> None:
    app = typed(open_page("export"), text)
    assert app.error
    assert app.button(key="export_build").disabled


def test_without_an_index_the_way_to_start_is_shown(home: Home, open_page: OpenPage) -> None:
    app = open_page("export", network="random")
    assert "has not been scanned" in words(app)


def test_cancelled_and_deleted(home: Home) -> None:
    layers = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
    units = tuple(Unit(layer, channel) for layer in layers for channel in range(4))
    wanted = Selection(units, k=11)
    export_id = start_export(home.registry, home.dataset, home.network, wanted)
    home.registry.jobs.cancel(exports(home.registry)[0].state.job_id)
    assert finished(home).state.status == "cancelled"
    delete_export(home.registry, export_id)
    assert exports(home.registry) == []
    assert not list(home.registry.home.glob("exports/*"))


def test_a_scan_that_is_gone(home: Home) -> None:
    home.registry.delete_index(home.index_path)
    start_export(home.registry, home.dataset, home.network, Selection((Unit("conv1_1", 0),)))
    state = finished(home).state
    assert state.status == "failed"
    assert "there is no index" in state.message


def test_the_name_says_what_is_inside() -> None:
    two = Selection((Unit("conv1_1", 0),), ("conv2_1",), label="a dog")
    assert file_name("My pictures", "x.safetensors", two) == (
        "My-pictures_x_conv2-1_conv1-1_a-dog.zip"
    )
    assert "/" not in file_name("../../etc", "x", two)


def test_a_band_and_a_rule_are_exported(
    home: Home, open_page: OpenPage, index: ActivationIndex
) -> None:
    app = typed(open_page("export"), "conv2_1/1")
    app.selectbox(key="export_band").set_value("50 %").run()
    app.selectbox(key="export_rule").set_value("Guided").run()
    app.button(key="export_build").click().run()
    export = finished(home)
    assert export.state.status == "done"
    folder = unpacked(export)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert (manifest["rule"], manifest["band"]) == ("guided", pytest.approx([0.45, 0.55]))
    assert "guided backpropagation" in (folder / "index.html").read_text("utf-8")
    table = (folder / "conv2_1" / "map1" / "table.csv").read_text("utf-8-sig")
    rows = table.splitlines()[1:]
    expected = index.sample("conv2_1", 1, 0.45, 0.55)
    assert [row.split(",")[1] for row in rows] == [a.image_id for a in expected]
    assert "guided" in export.name
