"""Backend discovery: one file is one backend, ``auto`` takes the best that can run, the rest say what they need."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from maquette.backends import Spec, choose, discover, missing_reason
from maquette.errors import BadInputError, MissingError


def backend(name: str, rank: int = 100, requires: tuple[str, ...] = (), reason: str = "") -> ModuleType:
    module = ModuleType(name)
    module.SPEC = Spec(name, name.title(), "for tests", default_rank=rank, requires=requires, extra="models")
    if reason:
        module.unavailable = lambda: reason
    return module


def test_auto_takes_the_lowest_rank_that_can_run() -> None:
    found = {m.SPEC.name: m for m in (backend("a", 30), backend("b", 20, ("no_such_library",)), backend("c", 10))}
    assert choose(found, "auto", "x").SPEC.name == "c"
    found["c"] = backend("c", 10, reason="its weights are not here: run `maquette models fetch c`")
    assert choose(found, "auto", "x").SPEC.name == "a"


def test_rank_1000_is_never_chosen_by_auto() -> None:
    with pytest.raises(MissingError, match="maquette doctor"):
        choose({"gpl": backend("gpl", 1000)}, "auto", "mesh")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BadInputError, match="auto, a, b"):
        choose({"b": backend("b"), "a": backend("a")}, "c", "depth")


def test_a_missing_library_is_said_with_the_command_that_brings_it() -> None:
    module = backend("b", requires=("no_such_library",))
    assert missing_reason(module) == "needs no_such_library: python install.py --extras models"
    with pytest.raises(MissingError, match="no_such_library"):
        choose({"b": module}, "b", "segment")


def test_private_modules_and_modules_without_spec_are_no_backends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = "from maquette.backends import Spec\nSPEC = Spec('{0}', 'T', 's')\n"
    package = tmp_path / "stage_for_test"
    package.mkdir()
    for name, text in {"__init__": "", "one": spec.format("one"), "_two": spec.format("two"), "three": "X = 1"}.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(discover("stage_for_test", [str(package)])) == ["one"]


def test_a_file_that_does_not_import_is_listed_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One broken backend file must not take the whole menu (and with it all of ComfyUI's nodes) away."""
    package = tmp_path / "stage_with_broken_file"
    package.mkdir()
    good = "from maquette.backends import Spec\nSPEC = Spec('good', 'T', 's')\n"
    for name, text in {"__init__": "", "good": good, "bad": "import no_such_library", "worse": "def ("}.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = discover("stage_with_broken_file", [str(package)])
    assert sorted(found) == ["bad", "good", "worse"]
    assert "no_such_library" in missing_reason(found["bad"])
    assert choose(found, "auto", "x").SPEC.name == "good"
    with pytest.raises(MissingError, match="does not import"):
        choose(found, "worse", "x")
