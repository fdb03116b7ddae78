import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import pytest

from deconv_core.errors import DeconvError
from deconv_core.storage import part_name
from deconv_dashboard.data.datasets import Dataset
from deconv_dashboard.data.registry import Registry
from deconv_dashboard.folder_rules import folder_size


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "pictures"
    path.mkdir()
    return path


def test_the_demo_is_always_there_and_first(registry: Registry) -> None:
    assert [dataset.dataset_id for dataset in registry.datasets()] == ["demo"]
    assert [network.network_id for network in registry.networks()] == ["demo", "vgg19", "random"]


def test_the_same_settings_are_the_same_dataset(registry: Registry, folder: Path) -> None:
    first = registry.add_folder(folder, extensions=["JPG", ".png"], labels=["dog", "cat"])
    again = registry.add_folder(folder, extensions=[".png", "jpg"], labels=["cat", "dog"])
    assert first == again
    assert len(registry.datasets()) == 2


@pytest.mark.parametrize("other", [{"extensions": ["jpg"]}, {"labels": []}, {"resize": "crop"}])
def test_other_settings_are_another_dataset(
    registry: Registry, folder: Path, other: dict[str, object]
) -> None:
    ids = {registry.add_folder(folder).dataset_id, registry.add_folder(folder, **other).dataset_id}
    assert len(ids) == 2


def test_what_was_added_is_found_by_another_registry(registry: Registry, folder: Path) -> None:
    added = registry.add_folder(folder, name="Zoo", labels=[""])
    assert Registry(registry.home).dataset(added.dataset_id) == added


def test_ids_hold_no_path(registry: Registry, folder: Path) -> None:
    dataset = registry.add_folder(folder)
    assert len(dataset.dataset_id) == 8
    assert int(dataset.dataset_id, 16) >= 0


def test_a_damaged_entry_is_passed_over(registry: Registry, folder: Path) -> None:
    dataset = registry.add_folder(folder)
    (registry.home / "datasets" / "0badf00d.json").write_text("{")
    (registry.home / "datasets" / "0badf00e.json").write_text('{"name": 1}')
    assert registry.datasets()[1:] == [dataset]


def test_what_is_no_folder(registry: Registry, folder: Path) -> None:
    with pytest.raises(DeconvError, match="is not a folder"):
        registry.add_folder(folder / "nothing")


def test_only_the_folders_that_are_offered(
    registry: Registry, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = folder / "inside"
    inside.mkdir()
    monkeypatch.setenv("DECONV_FOLDERS", str(folder))
    assert registry.add_folder(inside)
    for outside in (tmp_path, folder / ".." / "home"):
        with pytest.raises(DeconvError, match="outside the folders"):
            registry.add_folder(outside)


def test_a_link_out_of_the_offered_folders(
    registry: Registry, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "link").symlink_to(tmp_path, target_is_directory=True)
    monkeypatch.setenv("DECONV_FOLDERS", str(folder))
    with pytest.raises(DeconvError, match="outside the folders"):
        registry.add_folder(folder / "link")


@pytest.mark.parametrize("unknown", ["nothing", "../../etc", ""])
def test_unknown_ids(registry: Registry, unknown: str) -> None:
    with pytest.raises(DeconvError, match="has the id"):
        registry.dataset(unknown)
    with pytest.raises(DeconvError, match="has the id"):
        registry.network(unknown)


def test_weight_files(registry: Registry, weight_file: Path) -> None:
    plain = registry.add_weights(weight_file)
    caffe = registry.add_weights(weight_file, "caffe")
    assert plain.network_id != caffe.network_id
    assert registry.ready(plain)
    assert registry.network(caffe.network_id).preprocessing == "caffe"
    registry.delete_network(plain)
    assert weight_file.exists()
    assert plain not in registry.networks()


def test_a_file_that_is_no_weight_file(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(DeconvError, match=r"ends in \.pth"):
        registry.add_weights(tmp_path / "a.txt")
    with pytest.raises(DeconvError, match="there is no file"):
        registry.add_weights(tmp_path / "a.pth")


def test_vgg19_is_ready_once_it_was_downloaded(registry: Registry) -> None:
    vgg19 = registry.network("vgg19")
    assert not registry.ready(vgg19)
    weights = registry.home / "weights"
    weights.mkdir(parents=True)
    (weights / "vgg19-dcbb9e9d.features.safetensors").touch()
    assert registry.ready(vgg19)


def test_deleting_a_dataset_keeps_the_pictures_of_a_folder(
    registry: Registry, folder: Path
) -> None:
    (folder / "a.png").write_bytes(b"12345")
    dataset = registry.add_folder(folder)
    index = registry.index_path(dataset, registry.network("random"))
    index.mkdir(parents=True)
    (index / "manifest.json").write_text("{}")
    index.with_name(f"{index.name}.progress").write_text("{}")
    registry.delete_dataset(dataset)
    assert folder_size(folder) == 5
    assert not list((registry.home / "indexes").iterdir())
    assert len(registry.datasets()) == 1


def test_deleting_an_upload_deletes_its_pictures(registry: Registry) -> None:
    uploaded = registry.home / "uploads" / "abcd"
    uploaded.mkdir(parents=True)
    registry.delete_dataset(registry.add_folder(uploaded, kind="upload"))
    assert not uploaded.exists()


def test_pictures_that_another_dataset_uses_stay(registry: Registry) -> None:
    downloaded = registry.home / "downloads" / "caltech256"
    (downloaded / "dog").mkdir(parents=True)
    dogs = registry.add_folder(downloaded, kind="caltech256", labels=["dog"])
    registry.add_folder(downloaded, kind="caltech256")
    registry.delete_dataset(dogs)
    assert downloaded.exists()


def test_an_index_that_is_written_to_is_not_deleted(registry: Registry, folder: Path) -> None:
    dataset = registry.add_folder(folder)
    index = registry.index_path(dataset, registry.network("random"))
    index.mkdir(parents=True)
    with filelock.FileLock(index / "scan.lock"), pytest.raises(DeconvError, match="cancel it"):
        registry.delete_index(index)


def test_nothing_outside_the_data_folder_is_deleted(registry: Registry, folder: Path) -> None:
    with pytest.raises(DeconvError, match="cannot be deleted"):
        registry.delete_index(folder)
    with pytest.raises(DeconvError, match="cannot be deleted"):
        registry.delete_dataset(registry.dataset("demo"))
    assert folder.exists()


def test_many_sessions_open_one_folder_at_once(registry: Registry, folder: Path) -> None:
    together = threading.Barrier(8)

    def open_it(_: int) -> Dataset:
        together.wait()
        return registry.add_folder(folder)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            assert len(set(pool.map(open_it, range(8)))) == 1
    assert len(registry.datasets()) == 2
    assert len(list((registry.home / "datasets").iterdir())) == 1


def test_what_a_killed_server_left_is_removed_an_hour_later(
    registry: Registry, folder: Path
) -> None:
    shelf = registry.home / "datasets"
    shelf.mkdir(parents=True)
    left = shelf / part_name("0badf00d.json")
    left.write_text("{")
    registry.add_folder(folder)
    assert left.exists(), "another server may be writing it"
    os.utime(left, (0, 0))
    registry.add_folder(folder)
    assert not left.exists()


def test_a_dataset_is_renamed_and_keeps_its_name_when_it_is_opened_again(
    registry: Registry, folder: Path
) -> None:
    first = registry.add_folder(folder)
    registry.rename_dataset(first, "  My   zoo ")
    assert registry.dataset(first.dataset_id).name == "My zoo"
    assert registry.add_folder(folder).name == "My zoo"
    assert registry.add_folder(folder).dataset_id == first.dataset_id
    for wrong in ("", "  ", "x" * 81):
        with pytest.raises(DeconvError, match="a name has 1 to 80 characters"):
            registry.rename_dataset(first, wrong)
    with pytest.raises(DeconvError, match="is not there any more"):
        registry.rename_dataset(registry.dataset("demo"), "zoo")
