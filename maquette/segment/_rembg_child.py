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
        raise SystemExit('rembg is not installed: pip install "maquette[matting]"')
    package = types.ModuleType("rembg")
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["rembg"] = package
    return importlib.import_module("rembg.session_factory")


def providers(device: str) -> list[str]:
    """What onnxruntime may compute on: the GPU only where it was asked for."""
    import onnxruntime

    wanted = ["CUDAExecutionProvider"] if device.startswith("cuda") else []
    here = onnxruntime.get_available_providers()
    return [name for name in wanted if name in here] + ["CPUExecutionProvider"]


def main() -> None:
    """image [H, W, 3] uint8, session, folder that holds <session>.onnx, device -> mask [H, W] float32 in [0, 1]."""
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as given:
        arrays = {name: given[name] for name in given.files}
    # Our own hash was checked before; with these two rembg takes the file as it lies and never goes to the network.
    os.environ["U2NET_HOME"], os.environ["MODEL_CHECKSUM_DISABLED"] = str(arrays["folder"]), "1"
    answer, sys.stdout = sys.stdout.buffer, sys.stderr  # libraries print; the answer must stay alone
    from PIL import Image

    session = session_factory().new_session(str(arrays["session"]), providers=providers(str(arrays["device"])))
    (mask,) = session.predict(Image.fromarray(arrays["image"]))
    values = np.nan_to_num(np.asarray(mask.convert("L"), np.float32) / np.float32(255))
    out = io.BytesIO()
    np.savez(out, mask=values)
    answer.write(out.getvalue())
    answer.flush()


if __name__ == "__main__":
    main()
