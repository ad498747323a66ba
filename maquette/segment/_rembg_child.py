"""Child process: one mask by one rembg session. Reads and writes one .npz (child.py says how); imports nothing of this
package."""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import sys
import types
from typing import Any

import numpy as np


def session_factory() -> Any:
    """rembg's session factory without the rest of it: importing all of rembg compiles its matting code, which takes one
    to two minutes the first time and is not used here."""
    found = importlib.util.find_spec("rembg")
    if found is None or found.submodule_search_locations is None:
        raise SystemExit("rembg is not installed: python install.py --extras matting")
    package = types.ModuleType("rembg")
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["rembg"] = package
    return importlib.import_module("rembg.session_factory")


def providers(device: str) -> list[str]:
    """What onnxruntime may compute on: the GPU only where it was asked for, and then only that one."""
    if not device.startswith("cuda"):
        return ["CPUExecutionProvider"]
    index = int(device.partition(":")[2] or 0)
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    # rembg takes no options of a provider, so the other GPUs are hidden (before the first use of CUDA here)
    os.environ["CUDA_VISIBLE_DEVICES"] = seen.split(",")[index] if seen else str(index)
    return ["CUDAExecutionProvider", "CPUExecutionProvider"]


def opened(name: str, file: str, device: str) -> Any:
    """rembg's session of that name on exactly this file: it looks for no other and never goes to the network."""
    chosen = providers(device)
    factory = session_factory()
    for kind in factory.sessions_class:
        if kind.name() == name:
            kind.download_models = classmethod(lambda *_args, **_kwargs: file)
    return factory.new_session(name, providers=chosen)


def main() -> None:
    """image [H, W, 3] uint8, session, path of its checked file, device -> mask [H, W] float32 in [0, 1]."""
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as given:
        arrays = {name: given[name] for name in given.files}
    answer, sys.stdout = sys.stdout.buffer, sys.stderr  # libraries print; the answer must stay alone
    from PIL import Image

    session = opened(*(str(arrays[key]) for key in ("session", "path", "device")))
    (mask,) = session.predict(Image.fromarray(arrays["image"]))
    values = np.nan_to_num(np.asarray(mask.convert("L"), np.float32) / np.float32(255))
    out = io.BytesIO()
    np.savez(out, mask=values)
    answer.write(out.getvalue())
    answer.flush()


if __name__ == "__main__":
    main()
