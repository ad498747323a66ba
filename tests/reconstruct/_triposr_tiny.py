"""The tiny TripoSR of the golden data, and a view to give it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maquette.data import View
from maquette.geometry.camera import orbit_camera
from maquette.reconstruct import Settings
from maquette.reconstruct._triposr.config import Config, config_from_reference
from maquette.reconstruct._triposr.engine import Engine, open_engine

TINY = Path(__file__).resolve().parent.parent / "data" / "triposr" / "tiny"


def tiny_config() -> Config:
    settings = json.loads((TINY / "config.json").read_text())
    return config_from_reference(settings["model"], settings["vit"])


def tiny_engine(dtype: torch.dtype = torch.float32) -> Engine:
    return open_engine(TINY / "weights.safetensors", tiny_config(), dtype)


def disc_view(name: str = "front", azimuth: float | None = None, seed: int = 0) -> View:
    y, x = np.mgrid[:96, :96]
    mask = ((x - 48) ** 2 + (y - 48) ** 2 < 36**2).astype(np.float32)
    rgb = np.random.default_rng(seed).random((96, 96, 3)).astype(np.float32)
    camera = None if azimuth is None else orbit_camera(azimuth, size=96)
    return View(rgb, mask, camera, name)


def tiny_settings(engine: Engine, **changes: Any) -> Settings:
    options = {"engine": engine, **changes.pop("options", {})}
    return Settings(**{"resolution": 24, "threshold": 25.0, "options": options, **changes})
