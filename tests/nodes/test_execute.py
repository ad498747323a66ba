"""The nodes in a row on a fake ComfyUI: values fit together, progress rises, Cancel gets through, files stay inside."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import fake_comfy
import numpy as np
import pytest
import torch


def ball(size: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    """IMAGE and Load Image's MASK (1 - alpha) of a shaded disc."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    alpha = (x**2 + y**2 < 0.5).astype(np.float32)
    rgb = np.dstack([0.2 + 0.5 * alpha, 0.5 + 0.3 * x, 0.5 + 0.3 * y]).astype(np.float32)
    return torch.from_numpy(rgb)[None], torch.from_numpy(1 - alpha)[None]


@pytest.fixture
def made(node: Any) -> Any:
    """A mesh and its appearance, by Segment, Prepare Image and Reconstruct."""
    image, transparency = ball()
    mask, _, _ = node("MaquetteSegment").execute(image, transparency).args
    _, _, views = node("MaquettePrepareImage").execute(image, mask, size=96).args
    return node("MaquetteReconstruct").execute(views=views, resolution=32).args


def test_segment_turns_load_images_mask(node: Any) -> None:
    """The picture's own alpha comes back as the mask, 1 = subject."""
    image, transparency = ball()
    mask, cutout, notes = node("MaquetteSegment").execute(image, transparency).args
    assert torch.allclose(mask, 1 - transparency)
    assert cutout.shape == image.shape and float(cutout[0, 0, 0, 0]) == 0.5
    assert "alpha" in notes


def test_prepare_frames_the_subject(node: Any) -> None:
    """Square, centred, the longer side takes the asked share; the views carry names."""
    image, transparency = ball()
    framed, mask, views = node("MaquettePrepareImage").execute(image, 1 - transparency, "left", 128, 0.8).args
    assert framed.shape == (1, 128, 128, 3) and mask.shape == (1, 128, 128)
    rows = torch.nonzero(mask[0].amax(dim=1) > 0.5)
    assert abs(len(rows) / 128 - 0.8) < 0.03
    assert [view.name for view in views] == ["left"]


def test_the_river_gives_a_textured_file(node: Any, made: Any, comfy: fake_comfy.State) -> None:
    """Reconstruct -> Clean -> Simplify -> Bake -> Save, with the cameras travelling on the appearance."""
    mesh, appearance, notes = made
    assert notes.startswith("backend: ") and appearance.views[0].camera is not None
    cleaned, _, said = node("MaquetteCleanMesh").execute(mesh).args
    assert json.loads(said.splitlines()[-1])
    small, _ = node("MaquetteSimplifyMesh").execute(cleaned, faces=800).args
    assert abs(small.faces.shape[1] - 800) <= 16
    baked, texture, coverage = node("MaquetteBakeTexture").execute(small, appearance, texture_size=64).args
    assert texture.shape == (1, 64, 64, 3)
    shares = json.loads(coverage.splitlines()[0])["coverage"]
    assert shares["photos"] > 0.1 and abs(shares["photos"] + shares["appearance"] + shares["fill"] - 1) < 0.01
    out = node("MaquetteSave3DAsset").execute(baked, "sub/x", gate="certified")
    path, report = out.args
    assert path.startswith("sub/x_") and json.loads(report)["certified"]
    assert (comfy.root / "output" / path).read_bytes()[:4] == b"glTF"
    assert out.ui["3d"][0] == {"filename": Path(path).name, "subfolder": "sub", "type": "output"}


def test_inputs_of_a_node_are_not_changed(node: Any, made: Any) -> None:
    """ComfyUI caches what nodes return: no node may write into it."""
    mesh, appearance, _ = made
    before = {k: v.clone() for k, v in vars(mesh).items() if isinstance(v, torch.Tensor)}
    for name in ("MaquetteCleanMesh", "MaquetteSimplifyMesh", "MaquetteMeshReport"):
        node(name).execute(mesh)
    node("MaquetteBakeTexture").execute(mesh, appearance, texture_size=64)
    assert all(torch.equal(getattr(mesh, k), v) for k, v in before.items())


def test_progress_rises_to_the_end(node: Any, made: Any, comfy: fake_comfy.State) -> None:
    """One bar per node, strictly rising, filled at the end."""
    comfy.bars.clear()
    node("MaquetteCleanMesh").execute(made[0])
    node("MaquetteBakeTexture").execute(made[0], made[1], texture_size=64)
    for bar in comfy.bars:
        assert bar == sorted(set(bar)) and bar[-1] == 1000, bar[-5:]


@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize(
    "name", ["MaquetteCleanMesh", "MaquetteSimplifyMesh", "MaquetteBakeTexture", "MaquetteMeshReport"]
)
def test_cancel_leaves_every_mesh_node(node: Any, made: Any, comfy: fake_comfy.State, name: str, after: int) -> None:
    """ComfyUI's own exception comes out as it is, and the next call works."""
    inputs = {"faces": 500} if name == "MaquetteSimplifyMesh" else {}
    comfy.checks, comfy.interrupt_after = 0, after
    with pytest.raises(fake_comfy.Interrupted):
        node(name).execute(made[0], **inputs)
    comfy.interrupt_after = None
    assert node(name).execute(made[0], **inputs).args


def test_cancel_leaves_the_picture_nodes(node: Any, comfy: fake_comfy.State) -> None:
    """Segment, Reconstruct and the whole river stop too."""
    image, transparency = ball()
    comfy.interrupt_after = 2
    for inputs in ({"image": image, "transparency": transparency},):
        comfy.checks = 0
        with pytest.raises(fake_comfy.Interrupted):
            node("MaquetteImageTo3DAsset").execute(**inputs, resolution=32, faces=300, texture_size=64)
    comfy.checks = 0
    with pytest.raises(fake_comfy.Interrupted):
        node("MaquetteReconstruct").execute(image=image, mask=1 - transparency, resolution=64)


def test_one_node_does_it_all(node: Any) -> None:
    """Image to 3D Asset: mesh with texture, sheet, report that says certified."""
    image, transparency = ball()
    mesh, appearance, sheet, report = (
        node("MaquetteImageTo3DAsset").execute(image, transparency, resolution=32, faces=600, texture_size=64).args
    )
    assert mesh.texture.shape == (1, 64, 64, 3) and appearance.views
    assert sheet.ndim == 4 and sheet.shape[0] == 1
    assert json.loads(report)["mesh"]["certified"]


def test_mask_and_transparency_together_are_refused(node: Any) -> None:
    """Which of the two would count is a guess, so it is an error."""
    image, transparency = ball()
    with pytest.raises(ValueError, match="not both"):
        node("MaquetteImageTo3DAsset").execute(image, transparency, mask=transparency)


def test_several_views_share_one_solid(node: Any) -> None:
    """Gather Views frames pictures of different size; Reconstruct makes one mesh of them."""
    image, transparency = ball()
    other, other_transparency = ball(64)
    gathered = node("MaquetteGatherViews").execute(
        front=image, front_transparency=transparency, right=other, right_transparency=other_transparency, size=96
    )
    images, masks, views = gathered.args
    assert images.shape == (2, 96, 96, 3) and masks.shape == (2, 96, 96)
    mesh, appearance, _ = node("MaquetteReconstruct").execute(views=views, resolution=32).args
    assert [view.name for view in appearance.views] == ["front", "right"]
    extent = mesh.vertices[0].amax(dim=0) - mesh.vertices[0].amin(dim=0)
    assert extent.min() > 0.8, extent


def test_a_batch_with_degrees(node: Any) -> None:
    """Directions in degrees reach the cameras."""
    image, transparency = ball()
    mesh, appearance, _ = (
        node("MaquetteReconstruct")
        .execute(image=image.repeat(2, 1, 1, 1), mask=1 - transparency, directions="0, 90", resolution=32)
        .args
    )
    eyes = [view.camera.position for view in appearance.views]
    assert eyes[0][2] > 1 and abs(eyes[0][0]) < 0.1
    assert eyes[1][0] > 1 and abs(eyes[1][2]) < 0.1
    assert mesh.vertices.shape[0] == 1


def test_fuse_joins_and_moves_the_looks(node: Any) -> None:
    """Two meshes of a ball, one as seen from the right: a closed solid, and the right view's camera stands right.

    By the outline alone, which makes a ball of a disc for certain."""
    image, transparency = ball()
    _, _, views = node("MaquettePrepareImage").execute(image, 1 - transparency, size=96).args
    mesh, appearance, _ = node("MaquetteReconstruct").execute(views=views, backend="silhouette", resolution=32).args
    fused, look, notes = (
        node("MaquetteFuseViews")
        .execute(front=mesh, right=mesh, front_appearance=appearance, right_appearance=appearance, resolution=32)
        .args
    )
    lines = [json.loads(line) for line in notes.splitlines()[:2]]
    assert [line["name"] for line in lines] == ["front", "right"] and all(line["accepted"] for line in lines)
    front, right = (view.camera.position for view in look.views)
    assert front[2] > 0.9 and abs(front[0]) < 0.2, front
    assert right[0] > 0.9 and abs(right[2]) < 0.2, right
    assert fused.faces.shape[1] > 100


def test_moved_looks_answer_in_the_new_frame(part: Any) -> None:
    """A similarity moves points and normals back before the inner appearance is asked."""
    data = importlib.import_module("pack.maquette.data")

    class Echo:
        def sample(self, points: torch.Tensor, normals: torch.Tensor) -> Any:
            flat = torch.zeros(len(points))
            return data.SurfaceSample(torch.cat([points, normals], dim=1), flat, flat, flat)

    transform = np.array([[0, -2, 0, 1], [2, 0, 0, 2], [0, 0, 2, 3], [0, 0, 0, 1]], np.float64)
    old, normal = torch.tensor([[0.1, 0.2, 0.3]]), torch.tensor([[1.0, 0.0, 0.0]])
    new = old @ torch.tensor(transform[:3, :3].T).float() + torch.tensor(transform[:3, 3]).float()
    turned = torch.tensor([[0.0, 1.0, 0.0]])
    answer = part("_look").Look(Echo()).moved(transform).sample(new, turned).base_color
    assert torch.allclose(answer, torch.cat([old, normal], dim=1), atol=1e-5)


def test_depth_is_a_picture(node: Any) -> None:
    """Near is white, the background black."""
    image, transparency = ball()
    _, _, views = node("MaquettePrepareImage").execute(image, 1 - transparency, size=96).args
    (near,) = node("MaquetteEstimateDepth").execute(views).args
    assert near.shape == (1, 96, 96, 3)
    assert float(near[0, 48, 48, 0]) > float(near[0, 48, 10, 0]) >= 0
    assert float(near[0, 0, 0, 0]) == 0 and float(near.max()) == 1.0


def test_clean_hands_the_look_on(node: Any, part: Any) -> None:
    """Vertex colours of the input answer from the appearance that Clean Mesh gives."""
    import trimesh

    mesh = trimesh.creation.icosphere(subdivisions=2)
    mesh.visual.vertex_colors = np.tile(np.array([255, 0, 0, 255], np.uint8), (len(mesh.vertices), 1))
    cleaned, look, _ = node("MaquetteCleanMesh").execute(mesh).args
    points = cleaned.vertices[0][:5]
    color = look.sample(points, points).base_color
    assert torch.allclose(color, torch.tensor([1.0, 0.0, 0.0]).expand(5, 3), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "word"), [("../x.glb", "outside"), ("x.exe", "mesh file"), ("no.glb", "no.glb"), ("", "choose")]
)
def test_load_refuses_what_it_must(node: Any, name: str, word: str) -> None:
    """Outside the folder, another kind of file, a missing file, no file; also before the run."""
    with pytest.raises(ValueError, match=word):
        node("MaquetteLoad3DAsset").execute(file=name)
    if name:
        assert word in node("MaquetteLoad3DAsset").validate_inputs(file=name)


@pytest.mark.parametrize("prefix", ["../up", "/etc/x", "a/../../x", ""])
def test_save_stays_inside_output(node: Any, made: Any, comfy: fake_comfy.State, prefix: str) -> None:
    """A prefix that leads out is refused and nothing is written anywhere."""
    before = sorted(comfy.root.rglob("*"))
    with pytest.raises(ValueError, match="filename_prefix"):
        node("MaquetteSave3DAsset").execute(made[0], prefix, certify=False)
    assert sorted(comfy.root.rglob("*")) == before


def test_numbers_never_overwrite(node: Any, made: Any, comfy: fake_comfy.State) -> None:
    """Two saves give two files even when ComfyUI's counter says 1 twice."""
    paths = [node("MaquetteSave3DAsset").execute(made[0], "x", certify=False).args[0] for _ in range(3)]
    assert len(set(paths)) == 3


def test_a_failed_gate_writes_nothing(node: Any, made: Any, comfy: fake_comfy.State) -> None:
    """The gate is asked before the file exists."""
    with pytest.raises(Exception, match="faces"):
        node("MaquetteSave3DAsset").execute(made[0], "x", gate="faces < 3")
    assert not [p for p in (comfy.root / "output").rglob("*") if p.is_file()]


def test_an_unwritable_folder_is_said(node: Any, made: Any, comfy: fake_comfy.State) -> None:
    """A file where a folder should be: words, not a traceback of ours."""
    (comfy.root / "output" / "taken").write_text("x")
    with pytest.raises(ValueError, match="cannot be written"):
        node("MaquetteSave3DAsset").execute(made[0], "taken/x", certify=False)


def test_report_passes_the_same_object_on(node: Any, made: Any) -> None:
    """Mesh Report does not convert a core MESH: tangents and the like stay on it."""
    mesh, report, certified = node("MaquetteMeshReport").execute(made[0]).args
    assert mesh is made[0] and certified == json.loads(report)["certified"]


def test_devices_and_memory(part: Any, comfy: fake_comfy.State) -> None:
    """auto is ComfyUI's device; room is asked for on a GPU only, by the backend's own table."""
    border, comfy.device = part("_comfy"), "cpu"
    assert border.device("cpu") == "cpu" and border.device("auto") == "cpu"
    comfy.device = "cuda:0"
    assert border.device("auto") == "cuda:0"
    comfy.device = "privateuseone:0"
    assert border.device("auto") == "cpu"
    border.make_room("cpu", 100)
    assert comfy.freed == []
    border.make_room("cuda:0", 100)
    assert comfy.freed == [100 * 2**20]
    spec = type("Spec", (), {"vram_mb": {128: 1000, 256: 3000}})()
    assert [border.need_of(spec, x) for x in (64, 128, 200, 512)] == [1000, 1000, 3000, 3000]
    with pytest.raises(ValueError, match="tpu"):
        border.device("tpu")


def test_model_folders_are_comfys(pack: Any, part: Any, comfy: fake_comfy.State) -> None:
    """Backends with weights get a key of their own below models/, found again by the library; others are not known."""
    import asyncio

    asyncio.run(pack.comfy_entrypoint().get_node_list())
    border = part("_comfy")
    assert border.model_folders("triposr") == [str(comfy.root / "models" / "triposr")]
    assert border.model_folders("silhouette") == [] and border.model_folders("checkpoints") == []


def test_models_ask_comfy_for_room(part: Any, comfy: fake_comfy.State) -> None:
    """The library's memory owner reaches ComfyUI's free_memory while a node runs, and not outside."""
    memory = importlib.import_module("pack.maquette.memory")
    border = part("_comfy")
    with border.at_home():
        memory._HOST.get().make_room("cuda:0", 5 * 2**20)
    assert comfy.freed == [5 * 2**20] and memory._HOST.get() is None


def test_detect_gives_a_crop_and_a_place_per_object(node: Any) -> None:
    """Two things on grey: lists of equal length, one folder for the run, what was used and that it does not read."""
    image = torch.full((1, 96, 160, 3), 0.6)
    image[:, 30:60, 20:60] = torch.tensor([0.8, 0.1, 0.1])
    image[:, 40:80, 100:140] = torch.tensor([0.1, 0.2, 0.7])
    found = node("MaquetteDetectObjects").execute(image, "cup, spoon", padding=0.0)
    crops, drawn, labels, prefixes, notes = found.args
    assert len(crops) == len(labels) == len(prefixes) == 2 and drawn.shape == image.shape
    assert sorted(tuple(c.shape[1:3]) for c in crops) == [(30, 40), (40, 40)]
    assert len({p.rsplit("/", 1)[0] for p in prefixes}) == 1 and prefixes[0].startswith("3d/objects_2")
    assert [p.rsplit("/", 1)[1] for p in prefixes] == ["01_object", "02_object"]
    assert "apart: 2 of 2 objects" in notes and "does not read" in notes
    one = node("MaquetteDetectObjects").execute(image, "cup", most=1, folder="mine/").args
    assert len(one[0]) == 1 and one[3][0].startswith("mine_2") and one[3][0].endswith("/01_cup")
    with pytest.raises(ValueError, match="one picture"):
        node("MaquetteDetectObjects").execute(image.repeat(2, 1, 1, 1), "cup")
