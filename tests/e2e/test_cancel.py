"""Cancel in the middle of a stage: nothing is written, no process stays, the next run is fine."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from comfy_server import Server

BIG = {
    "1": {"class_type": "MaquetteLoad3DAsset", "inputs": {"file": "torus.ply"}},
    "2": {"class_type": "TestSubdivide", "inputs": {"mesh": ["1", 0], "times": 5}},
}
STAGES: dict[str, dict[str, Any]] = {
    "reconstruct": {
        "1": {"class_type": "LoadImage", "inputs": {"image": "ball.png"}},
        "2": {
            "class_type": "MaquetteImageTo3DAsset",
            "inputs": {"image": ["1", 0], "transparency": ["1", 1], "directions": "", "segment": "auto"}
            | {"backend": "auto", "resolution": 1024, "faces": 0, "texture_size": 4096, "seed": 0, "gate": ""}
            | {"device": "auto"},
        },
    },
    "clean": BIG
    | {
        "3": {
            "class_type": "MaquetteCleanMesh",
            "inputs": {"mesh": ["2", 0], "weld": True, "floaters": 0.01, "fill_holes": True, "repair": "fix"},
        }
    },
    "bake": BIG
    | {
        "3": {
            "class_type": "MaquetteBakeTexture",
            "inputs": {
                "mesh": ["2", 0],
                "texture_size": 4096,
                "uvs": "xatlas",
                "unwrap_minutes": 60.0,
                "device": "auto",
            },
        }
    },
}


def children(server: Server) -> set[str]:
    """Command lines of the server's child processes."""
    done = subprocess.run(
        ["ps", "--ppid", str(server.process.pid), "-o", "args="], capture_output=True, text=True, check=False
    )
    return {line for line in done.stdout.splitlines() if "_child" in line}


@pytest.mark.parametrize("stage", STAGES)
def test_cancel_stops_a_stage(server: Server, stage: str) -> None:
    """The run ends as interrupted within seconds, without a file and without a left-over child process."""
    last = max(STAGES[stage])
    save = {"mesh": [last, 0], "filename_prefix": f"cancelled/{stage}", "format": "glb", "certify": False, "gate": ""}
    graph = STAGES[stage] | {"9": {"class_type": "MaquetteSave3DAsset", "inputs": save}}
    prompt = server.interrupt_at(graph, last, after=0.7)
    entry = server.wait(prompt, 30)
    stopped = [data for event, data in entry["status"]["messages"] if event == "execution_interrupted"]
    assert stopped, entry["status"]
    assert stopped[0]["node_id"] == last, stopped[0]["node_type"]
    folder = server.base / "output" / "cancelled"
    assert not folder.exists() or not any(folder.iterdir())
    assert not children(server)


def test_the_next_run_is_fine(server: Server) -> None:
    """After the cancels a small graph runs through."""
    graph = {
        "1": {"class_type": "MaquetteLoad3DAsset", "inputs": {"file": "torus.ply"}},
        "2": {"class_type": "MaquetteMeshReport", "inputs": {"mesh": ["1", 0], "gate": "watertight and genus == 1"}},
    }
    assert server.run(graph)["2"]["text"]
