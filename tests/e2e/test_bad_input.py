"""Bad input gives one clear sentence, writes nothing, and the server goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comfy_server import Server
from PIL import Image

Graph = dict[str, Any]


def asset(image: list[Any], transparency: list[Any] | None = None, **changes: Any) -> Graph:
    """A small Image to 3D Asset -> Save graph over nodes 1.."""
    inputs = {"directions": "", "segment": "auto", "backend": "auto", "resolution": 48, "faces": 500}
    inputs |= {"texture_size": 128, "seed": 0, "gate": "", "device": "auto", "image": image}
    if transparency is not None:
        inputs["transparency"] = transparency
    return {
        "8": {"class_type": "MaquetteImageTo3DAsset", "inputs": inputs | changes},
        "9": {
            "class_type": "MaquetteSave3DAsset",
            "inputs": {"mesh": ["8", 0], "filename_prefix": "bad/x", "format": "glb", "certify": True, "gate": ""},
        },
    }


def made(kind: str) -> Graph:
    return {"1": {"class_type": "TestImage", "inputs": {"kind": kind}}}


def loaded(name: str) -> Graph:
    return {"1": {"class_type": "LoadImage", "inputs": {"image": name}}}


def mesh(kind: str) -> Graph:
    return {"1": {"class_type": "TestMesh", "inputs": {"kind": kind}}}


CLEAN = {"mesh": ["1", 0], "weld": True, "floaters": 0.01, "fill_holes": True, "repair": "fix"}
SAVE = {"mesh": ["1", 0], "filename_prefix": "bad/x", "format": "glb", "certify": True, "gate": ""}
SEGMENT = {"image": ["1", 0], "method": "auto", "device": "auto"}
PREPARE = {"image": ["1", 0], "mask": ["1", 1], "directions": "", "size": 512, "fill": 0.85}
BALL = loaded("ball.png")

CASES: dict[str, tuple[Graph, str]] = {
    "nan pixels": (made("nan") | asset(["1", 0]), "NaN"),
    "pixels out of range": (made("range") | asset(["1", 0]), "0"),
    "one pixel": (made("tiny") | asset(["1", 0]), "pixel"),
    "fully transparent": (loaded("clear.png") | asset(["1", 0], ["1", 1]), "transparent"),
    "nothing stands out": (made("uniform") | asset(["1", 0]), "subject"),
    "batch without directions": (made("batch4") | asset(["1", 0], directions="front, back"), "4 pictures but 2"),
    "unknown direction": (BALL | asset(["1", 0], ["1", 1], directions="up"), "'up'"),
    "unknown backend": (BALL | asset(["1", 0], ["1", 1], backend="magic"), "magic"),
    "gate": (BALL | asset(["1", 0], ["1", 1], gate="faces < 10"), "faces < 10"),
    "gate that is no expression": (BALL | asset(["1", 0], ["1", 1], gate="__import__('os')"), "gate"),
    "mask for another picture": (
        loaded("ball.png")
        | {"3": {"class_type": "TestImage", "inputs": {"kind": "uniform"}}}
        | {"4": {"class_type": "MaquettePrepareImage", "inputs": PREPARE | {"mask": ["3", 1]}}}
        | {"5": {"class_type": "PreviewImage", "inputs": {"images": ["4", 0]}}},
        "mask",
    ),
    "no views": (
        {
            "1": {
                "class_type": "MaquetteGatherViews",
                "inputs": {"method": "auto", "size": 512, "fill": 0.85, "device": "cpu"},
            }
        }
        | {"2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}},
        "no view is connected",
    ),
    "empty mesh": (mesh("empty") | {"9": {"class_type": "MaquetteSave3DAsset", "inputs": SAVE}}, "empty"),
    "nan vertices": (mesh("nan") | {"9": {"class_type": "MaquetteSave3DAsset", "inputs": SAVE}}, "NaN"),
    "faces out of range": (mesh("range") | {"9": {"class_type": "MaquetteSave3DAsset", "inputs": SAVE}}, "99"),
    "prefix outside output": (
        mesh("plain") | {"9": {"class_type": "MaquetteSave3DAsset", "inputs": SAVE | {"filename_prefix": "../../x"}}},
        "outside",
    ),
    "unlisted format": (
        mesh("plain") | {"9": {"class_type": "MaquetteSave3DAsset", "inputs": SAVE | {"format": "exe"}}},
        "exe",
    ),
    "missing file": (
        {"1": {"class_type": "MaquetteLoad3DAsset", "inputs": {"file": "gone.glb"}}}
        | {"9": {"class_type": "MaquetteSave3DAsset", "inputs": SAVE}},
        "gone.glb",
    ),
    "file outside input": (
        {"1": {"class_type": "MaquetteLoad3DAsset", "inputs": {"file": "../../x.glb"}}}
        | {"9": {"class_type": "MaquetteSave3DAsset", "inputs": SAVE}},
        "outside",
    ),
    "file that is no mesh": (
        {"1": {"class_type": "MaquetteLoad3DAsset", "inputs": {"file": "broken.glb"}}}
        | {"9": {"class_type": "MaquetteSave3DAsset", "inputs": SAVE}},
        "broken.glb",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def bad_files(server: Server) -> None:
    """Pictures and files that users really have."""
    folder = server.base / "input"
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    ball = np.dstack([np.abs(x), np.abs(y), 0.5 + 0 * x, x**2 + y**2 < 0.6]) * 255
    Image.fromarray(ball.astype(np.uint8), "RGBA").save(folder / "ball.png")
    Image.new("RGBA", (80, 60), (9, 9, 9, 0)).save(folder / "clear.png")
    (folder / "broken.glb").write_bytes(b"glTF\x02\0\0\0 and no more")


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gives_one_clear_sentence(server: Server, case: str) -> None:
    """Refused before or while running, in words that name the trouble, and nothing is written."""
    graph, word = CASES[case]
    answer = server.submit(graph)
    if answer.status_code == 400:
        said = answer.text
    else:
        entry = server.wait(answer.json()["prompt_id"], 60)
        assert entry["status"]["status_str"] == "error", entry["outputs"]
        said = next(d["exception_message"] for e, d in entry["status"]["messages"] if e == "execution_error")
        assert len(said) < 400, said
    assert word.lower() in said.lower(), said
    folder = server.base / "output" / "bad"
    assert not [p for p in folder.rglob("*") if p.is_file()] if folder.exists() else True


def test_the_server_still_works_afterwards(server: Server) -> None:
    """After all those errors a good graph runs."""
    outputs = server.run(
        loaded("ball.png")
        | asset(["1", 0], ["1", 1])
        | {"9": {"class_type": "MaquetteSave3DAsset", "inputs": SAVE | {"mesh": ["8", 0], "filename_prefix": "good/x"}}}
    )
    assert outputs["9"]["3d"]


@pytest.mark.parametrize("kind", ["plain", "inside_out", "duck", "rich", "padded"])
def test_odd_meshes_of_other_nodes_are_cleaned(server: Server, kind: str) -> None:
    """Bare, inside-out, half-precision, over-rich and padded meshes come out of Clean Mesh certified."""
    graph = mesh(kind) | {
        "2": {"class_type": "MaquetteCleanMesh", "inputs": CLEAN},
        "3": {"class_type": "MaquetteMeshReport", "inputs": {"mesh": ["2", 0], "gate": "certified and faces == 12"}},
    }
    assert server.run(graph)["3"]["text"]


def test_truncated_picture_is_refused_by_the_upload_or_the_loader(server: Server, tmp_path: Path) -> None:
    """A PNG cut off in its header: core's Load Image refuses it before our nodes see it, and the server lives."""
    whole = tmp_path / "whole.png"
    Image.effect_noise((64, 64), 80).save(whole)
    half = tmp_path / "half.png"
    half.write_bytes(whole.read_bytes()[:30])
    server.put_input(half, "half.png")
    answer = server.submit(loaded("half.png") | asset(["1", 0]))
    if answer.status_code == 200:
        assert server.wait(answer.json()["prompt_id"])["status"]["status_str"] == "error"
    assert server.get("/system_stats").status_code == 200
