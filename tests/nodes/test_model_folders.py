"""Weights that lie in ComfyUI's own folders are found by menus, nodes and the doctor alike."""

from __future__ import annotations

import asyncio
import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_comfy
import numpy as np
import pytest
import torch

STAGES = ("detect", "segment", "depth", "reconstruct")


@pytest.fixture
def nowhere(comfy: fake_comfy.State, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights in any other place that is searched."""
    for name in ("MAQUETTE_MODELS", "XDG_CACHE_HOME", "LOCALAPPDATA", "HF_HOME", "HF_HUB_CACHE", "HOME"):
        monkeypatch.setenv(name, str(comfy.root / "nowhere"))


def register(pack: Any) -> Any:
    """ComfyUI's folder_paths after the pack was loaded."""
    asyncio.run(pack.comfy_entrypoint().get_node_list())
    return sys.modules["folder_paths"]


def lay_down(spec: Any, folder: Path) -> None:
    """Files with the names and sizes of the published ones (sparse, so that they cost no disk)."""
    for file in spec.weights:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            stream.truncate(file.size or 1)


def backends(pack: Any, stage: str) -> dict[str, Any]:
    module = importlib.import_module(f"pack.maquette.{stage}")
    return dict(importlib.import_module("pack.maquette.backends").discover(module.__name__, list(module.__path__)))


@pytest.mark.parametrize("stage", STAGES)
def test_every_stages_folders_are_known_to_comfyui(stage: str, pack: Any) -> None:
    """extra_model_paths.yaml can then move each of them, the detectors' too."""
    paths = register(pack)
    for name, module in backends(pack, stage).items():
        if module.SPEC.weights:
            assert paths.get_folder_paths(module.SPEC.folder or name)


def test_a_folder_of_extra_model_paths_is_first_and_the_usual_one_still_searched(pack: Any) -> None:
    """ComfyUI reads extra_model_paths.yaml before it loads packs."""
    paths = sys.modules["folder_paths"]
    paths.add_model_folder_path("triposr", "/elsewhere/triposr")
    register(pack)
    register(pack)
    assert paths.get_folder_paths("triposr") == ["/elsewhere/triposr", str(Path(paths.models_dir) / "triposr")]


@pytest.mark.parametrize(
    ("node_id", "socket", "stage", "name"),
    [
        ("MaquetteEstimateDepth", "method", "depth", "depth-anything-v2-small"),
        ("MaquetteDetectObjects", "method", "detect", "grounding-dino"),
        ("MaquetteSegment", "method", "segment", "sam2.1-tiny"),
        ("MaquetteImageTo3DAsset", "segment", "segment", "sam2.1-tiny"),
        ("MaquetteReconstruct", "backend", "reconstruct", "triposr"),
    ],
)
def test_menus_see_weights_in_comfyuis_folders(
    node_id: str, socket: str, stage: str, name: str, pack: Any, node: Any, nowhere: None, comfy: fake_comfy.State,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The tooltip says UNAVAILABLE before, and the model's title after the files were put there."""
    module = backends(pack, stage)[name]
    monkeypatch.setattr(module, "SPEC", replace(module.SPEC, requires=()))
    register(pack)

    def line() -> str:
        menu = next(x for x in node(node_id).define_schema().inputs if x.id == socket)
        return next(x for x in menu.tooltip.splitlines() if x.startswith(f"- {name}:"))

    assert "UNAVAILABLE" in line() and f"`maquette models fetch {name}`" in line()
    lay_down(module.SPEC, comfy.root / "models" / module.SPEC.folder)
    assert line() == f"- {name}: {module.SPEC.title}"


def test_estimate_depth_runs_a_model_of_comfyuis_folders_and_moves_nothing_for_the_relief(
    pack: Any, node: Any, nowhere: None, comfy: fake_comfy.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """auto takes the model when its files lie there; a method without weights asks ComfyUI for no GPU memory."""
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    image = torch.full((1, 48, 48, 3), 0.6)
    mask = torch.from_numpy((x**2 + y**2 < 0.5).astype(np.float32))[None]
    _, _, views = node("MaquettePrepareImage").execute(image, mask, size=64).args
    register(pack)
    comfy.device = "cuda"
    node("MaquetteEstimateDepth").execute(views, "relief")
    assert comfy.freed == []
    comfy.device = "cpu"
    module = backends(pack, "depth")["depth-anything-v2-small"]
    monkeypatch.setattr(module, "SPEC", replace(module.SPEC, requires=()))
    lay_down(module.SPEC, comfy.root / "models" / module.SPEC.folder)
    seen: list[str] = []

    def estimate(view: Any, *, device: str, progress: Any) -> Any:
        seen.append(view.name)
        return importlib.import_module("pack.maquette.depth.relief").estimate(view, device=device, progress=progress)

    monkeypatch.setattr(module, "estimate", estimate)
    for method in ("auto", "depth-anything-v2-small"):
        near = node("MaquetteEstimateDepth").execute(views, method).args[0]
        assert seen.pop() == "front" and near.shape == (1, 64, 64, 3)


def test_reconstruct_runs_a_backend_whose_weights_lie_in_comfyuis_folders(
    pack: Any, node: Any, nowhere: None, comfy: fake_comfy.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    mask = torch.from_numpy((x**2 + y**2 < 0.5).astype(np.float32))[None]
    module = backends(pack, "reconstruct")["silhouette"]
    weights = backends(pack, "reconstruct")["triposr"].SPEC.weights
    monkeypatch.setattr(module, "SPEC", replace(module.SPEC, weights=weights, folder="of_silhouette"))
    register(pack)
    given = {"image": torch.full((1, 48, 48, 3), 0.6), "mask": mask, "backend": "silhouette", "resolution": 32}
    with pytest.raises(Exception, match="models fetch silhouette"):
        node("MaquetteReconstruct").execute(**given)
    lay_down(module.SPEC, comfy.root / "models" / "of_silhouette")
    assert "backend: silhouette" in node("MaquetteReconstruct").execute(**given).args[2]


def test_estimate_depth_takes_a_whole_picture_for_a_model_that_sees_all_of_it(
    pack: Any, node: Any, nowhere: None, comfy: fake_comfy.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is how depth guides Segment, which comes before Prepare Image; the relief needs an outline and says so."""
    image = torch.rand(2, 40, 64, 3)
    with pytest.raises(ValueError, match=r"relief.*outline"):
        node("MaquetteEstimateDepth").execute(image=image, method="relief")
    for given in ({}, {"image": image, "views": ()}):
        with pytest.raises(ValueError, match="views or image"):
            node("MaquetteEstimateDepth").execute(**given)
    module = backends(pack, "depth")["depth-anything-v2-small"]
    monkeypatch.setattr(module, "SPEC", replace(module.SPEC, requires=()))
    monkeypatch.setattr(module, "unavailable", lambda: "", raising=False)
    data = importlib.import_module("pack.maquette.data")

    def estimate(view: Any, *, device: str, progress: Any) -> Any:
        assert view.mask.min() == 1
        return data.DepthMap(1 / (0.1 + view.rgb[..., 0]), metric=False, camera=view.camera)

    monkeypatch.setattr(module, "estimate", estimate)
    near = node("MaquetteEstimateDepth").execute(image=image, method="auto").args[0]
    assert near.shape == image.shape
    assert torch.allclose(near[0].flatten(0, 1).argmax(0), image[0, ..., 0].argmax()[None].expand(3))
    red = image[0, ..., 0]
    linear = 0.1 + 0.9 * (red - red.min()) / (red.max() - red.min())  # in the disparity, as the model gave it
    assert torch.allclose(near[0], linear[..., None].expand(-1, -1, 3), atol=1e-4)


@pytest.mark.parametrize(("gigabytes", "helper"), [(4, "cpu"), (8, "cuda")])
def test_helpers_leave_a_small_gpu_alone(
    gigabytes: int, helper: str, part: Any, comfy: fake_comfy.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segment, Estimate Depth and Detect Objects compute on the CPU beside a 4 GB card; Reconstruct has it."""
    from types import SimpleNamespace

    comfy.device = "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda *_: SimpleNamespace(total_memory=gigabytes * 1024**3)
    )
    assert part("_comfy").device("auto", helper=True) == helper
    assert part("_comfy").device("auto") == "cuda" and part("_comfy").device("cpu", helper=True) == "cpu"
