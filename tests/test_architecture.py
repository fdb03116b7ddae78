"""Who may import whom, read from the source files."""

import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import deconv_core

ROOT = Path(__file__).parents[1]

# What each part of the product may import of the others.
ALLOWED = {
    "deconv_core": {"deconv_core"},
    "deconv_dashboard": {"deconv_core", "deconv_dashboard"},
    "pages": {"deconv_core", "deconv_dashboard"},
    "app": {"deconv_core", "deconv_dashboard"},
}
PARTS = {"app", "benchmarks", "deconv_dashboard", "deconv_core", "demo", "pages", "tests"}

PUBLIC = (
    *("load_network", "Network", "ImageFolder", "scan", "ActivationIndex", "exact_top"),
    *("Unit", "Activation", "Box", "reconstruct", "Reconstruction", "ReconstructionCache"),
    *("Scale", "compose_grid", "activation_table", "DeconvError"),
)


def files(part: str) -> list[Path]:
    single = ROOT / f"{part}.py"
    return [single] if single.is_file() else sorted((ROOT / part).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Full names of the modules a file imports anywhere, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def core_modules() -> list[str]:
    """Full names of the core's modules, without those that only run."""
    paths = [path for path in files("deconv_core") if path.stem not in ("__init__", "__main__")]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]


def test_the_core_never_imports_streamlit() -> None:
    for path in files("deconv_core"):
        assert not [name for name in imports(path) if name.split(".")[0] == "streamlit"], path


@pytest.mark.parametrize("part", ALLOWED)
def test_parts_import_in_one_direction(part: str) -> None:
    for path in files(part):
        used = {name.split(".")[0] for name in imports(path)} & PARTS
        assert used <= ALLOWED[part], f"{path} imports {used - ALLOWED[part]}"


@pytest.mark.parametrize("part", ["deconv_dashboard", "pages", "app"])
def test_pages_use_no_private_names_of_the_core(part: str) -> None:
    for path in files(part):
        private = [
            name
            for name in imports(path)
            if name.startswith("deconv_core.")
            and any(p.startswith("_") and p != "__main__" for p in name.split("."))
        ]
        assert not private, path


# Who names a file that was written under another name: one module, and those that move what
# arrived in pieces (a download that goes on after a break, a folder that was unpacked), or what is
# to be deleted together.
RENAMING = {
    *(
        "deconv_core/whole_files.py",
        "deconv_core/network/download.py",
        "deconv_core/index/new_index.py",
    ),
    *("deconv_dashboard/jobs/caltech.py", "deconv_dashboard/data/deletion.py"),
}


def test_one_module_replaces_files() -> None:
    renaming = set()
    for path in [
        path
        for part in ("app", "deconv_core", "deconv_dashboard", "pages", "demo")
        for path in files(part)
    ]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and (
                node.attr == "rename"
                or (node.attr == "replace" and ast.unparse(node.value) == "os")
                or (node.attr == "getpid")
            ):
                renaming.add(path.relative_to(ROOT).as_posix())
    assert renaming == RENAMING


@pytest.mark.parametrize(
    "module", ["demo", "errors", "units", "layers", "index.folder", "index.activation_index"]
)
def test_a_module_can_be_imported_first(module: str) -> None:
    program = f"import deconv_core.{module}"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there(name: str) -> None:
    assert name in deconv_core.__all__
    assert name in dir(deconv_core)
    found = getattr(deconv_core, name)
    assert found.__name__ == name


def test_nothing_else_is_public() -> None:
    assert sorted(PUBLIC) == sorted(deconv_core.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = deconv_core.nothing


def test_no_module_hides_a_public_name() -> None:
    # Importing a submodule sets its name on the package, over a function of the same name.
    for module in core_modules():
        importlib.import_module(module)
    assert not set(PUBLIC) & {path.stem for path in (ROOT / "deconv_core").iterdir()}
    assert all(callable(getattr(deconv_core, name)) for name in PUBLIC)


def test_the_package_alone_loads_nothing_heavy() -> None:
    program = (
        "import sys, deconv_core; deconv_core.Unit, deconv_core.DeconvError; "
        "print([n for n in ('torch', 'numpy', 'pandas', 'PIL', 'pyarrow') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


# The parts of the core that compute; all others answer before torch is there.
COMPUTING = {
    *("deconvnet", "graph", "exact", "export", "network", "reconstruction", "scanning"),
    "specificity",
}


def test_nothing_but_the_parts_that_compute_loads_torch() -> None:
    modules = [name for name in core_modules() if name.split(".")[1] not in COMPUTING]
    assert {"deconv_core.index.folder", "deconv_core.output.tables"} <= set(modules)
    program = (
        "import importlib, sys\n"
        f"for name in {modules}:\n"
        "    importlib.import_module(name)\n"
        "    assert 'torch' not in sys.modules, name\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_one_module_shows_tables_and_the_built_in_download_is_off() -> None:
    showing = set()
    for part in ("app", "deconv_dashboard", "pages"):
        for path in files(part):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Attribute) and node.attr in ("dataframe", "data_editor"):
                    showing.add(path.relative_to(ROOT).as_posix())
    assert showing == {"deconv_dashboard/frame/data_tables.py"}
    config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text("utf-8"))
    assert config["client"]["disableDataExport"] is True


def test_ci_runs_the_tests_that_the_test_command_leaves_out() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]
    begun = [ROOT / "tests" / "browser", ROOT / "tests" / "distributed"]
    for path in options["ini_options"]["testpaths"]:
        begun += ROOT.glob(path)
    for file in (ROOT / "tests").rglob("test_*.py"):
        assert any(file.is_relative_to(path) for path in begun), file
    checks = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "pytest -n 3 tests/browser tests/distributed ||" in checks
