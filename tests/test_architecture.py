"""The arrows between rooms (DESIGN.md), checked on the syntax tree: who may import whom."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STAGES = {"image", "detect", "segment", "depth", "reconstruct", "fuse", "mesh", "bake"}
JOINERS = {"pipeline", "commands", "cli", "preview", "__main__", "doctor", "selftest"}
SHARED = {
    "data",
    "errors",
    "log",
    "progress",
    "memory",
    "attention",
    "weights",
    "child",
    "backends",
    "native",
    "gate",
    "landing",
}
SHARED |= {"geometry", "appearance", "__init__", "__version__"}
COMFY = {"comfy", "comfy_api", "comfy_extras", "comfy_execution", "folder_paths", "nodes", "server", "execution"}
_COMMITTED = ("maquette", "nodes", "tests", "benchmarks", "training", "workflows", "example_workflows", "locales")
_COMMITTED += ("web", "docs", "examples", "extensions")
LIBRARY = sorted((ROOT / "maquette").rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every imported module as an absolute dotted name (relative ones resolved from the root), with its line."""
    here = path.relative_to(ROOT).with_suffix("").parts
    package = here[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module or "").split(".")) if node.module else base
            if node.module:
                yield ".".join(module), node.lineno
            else:
                yield from ((".".join((*module, alias.name)), node.lineno) for alias in node.names)


def room(path: Path) -> str:
    """The room of a file below ``maquette/``: its folder, or its own name."""
    parts = path.relative_to(ROOT / "maquette").with_suffix("").parts
    return parts[0]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_point_the_way_the_river_flows(path: Path) -> None:
    """A stage imports no other stage; shared rooms import no stage; the batch driver stands alone."""
    here = room(path)
    for name, line in imports(path):
        if not name.startswith("maquette."):
            continue
        target = name.split(".")[1]
        where = f"{path.relative_to(ROOT)}:{line} imports {name}"
        if here in STAGES:
            assert target in SHARED | {here}, f"{where}: a stage may import shared rooms only"
        elif here == "batch":
            assert target in {"batch", "errors", "log", "gate", "__init__"}, f"{where}: batch stands alone"
        elif here not in JOINERS:
            assert target in SHARED | {here}, f"{where}: a shared room may not import a stage"


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_library_does_not_know_comfyui(path: Path) -> None:
    """Only ``nodes/`` imports ComfyUI's modules; the library never imports the pack by an absolute name."""
    for name, line in imports(path):
        top = name.split(".")[0]
        assert top not in COMFY, f"{path.relative_to(ROOT)}:{line} imports {name}"


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_imports_only(path: Path) -> None:
    """The package also runs as ``custom_nodes.<folder>.maquette``: an absolute import of itself would break there."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] in {"maquette", "extensions"} for alias in node.names), path
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            assert node.module.split(".")[0] not in {"maquette", "extensions"}, f"{path}:{node.lineno}"


def test_batch_driver_imports_no_torch() -> None:
    """The driver runs on a machine without torch."""
    for path in (ROOT / "maquette" / "batch").rglob("*.py"):
        assert all(name.split(".")[0] not in {"torch", "numpy"} for name, _ in imports(path)), path


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    """No file above 400 lines, no function above 60."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{path}:{node.lineno} {node.name}"


def test_requirements_state_lower_bounds_only_and_never_torch() -> None:
    """Installing the pack must only add: no pins, no torch, and one list in two places."""
    lines = [x for x in (ROOT / "requirements.txt").read_text().splitlines() if x and not x.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+>=[0-9.]+", line), line
        assert not line.startswith("torch")
    block = (ROOT / "pyproject.toml").read_text().split("\ndependencies = [")[1].split("]")[0]
    assert re.findall(r'"([^"]+)"', block) == lines


def test_oldest_constraints_are_the_lower_bounds() -> None:
    """`make oldest` really tests what requirements.txt promises."""
    bounds = dict(re.findall(r"^([\w.-]+)>=([\d.]+)$", (ROOT / "requirements.txt").read_text(), re.M))
    oldest = dict(re.findall(r"^([\w.-]+)==([\d.]+)$", (ROOT / "constraints-oldest.txt").read_text(), re.M))
    for name, bound in bounds.items():
        assert oldest[name].startswith(bound), f"{name}: bound {bound}, tested {oldest[name]}"


def test_no_path_of_a_developers_machine_is_committed() -> None:
    """Nothing in the repository names a folder of the machine it was written on."""
    pattern = re.compile(r"(?<![\w.])/(work|root|home/\w+)/\w")
    for folder in _COMMITTED:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md", ".json", ".js", ".sh", ".toml", ".txt"}:
                assert not pattern.search(path.read_text(encoding="utf-8")), path
