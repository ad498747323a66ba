"""``OUT/index.html``: every item with its picture, figures and errors on one offline page; click an item to turn it.

The page is one template beside this file; data goes in as JSON inside a script tag with every ``<`` escaped, and is put
on the page as text, never as HTML. The viewer is a small WebGL program of our own in the template: no library, no
network. A page opened from disk may not read other files, so each model also lies in a script file (base64) below
``OUT/.page/``, which is loaded when somebody clicks.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .ledger import Ledger, Row
from .reading import report_of

TEMPLATE = Path(__file__).with_name("page.html")
_FIGURES = ("faces", "vertices", "watertight", "components", "certified", "self_intersections")


def write_page(output: Path, ledger: Ledger) -> Path:
    """Write the page of all items in the ledger, whole or not at all."""
    data = {"items": [_entry(output, row) for row in ledger.rows()], "counts": ledger.counts()}
    # "<" cannot close the script tag, and U+2028/9 cannot end a line of script
    text = json.dumps(data).replace("<", "\\u003c")
    page = TEMPLATE.read_text(encoding="utf-8").replace("/*DATA*/null", text)
    handle, name = tempfile.mkstemp(dir=output, prefix=".index-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(page)
    target = output / "index.html"
    Path(name).replace(target)
    return target


def _entry(output: Path, row: Row) -> dict[str, Any]:
    paths = [str(out["path"]) for out in row.outputs]
    report = report_of((output / paths[0]).parent) if row.state == "done" and paths else {}
    thumbs = [p for p in paths if p.lower().endswith((".png", ".jpg", ".webp")) and (output / p).is_file()]
    thumbs.sort(key=lambda p: not p.endswith("/turntable.png"))
    return {
        "name": row.name,
        "state": row.state,
        "attempts": row.attempts,
        "seconds": row.seconds,
        "error": row.error,
        "failure": row.failure,
        "notes": row.notes,
        "files": [{"name": p.rsplit("/", 1)[-1], "href": quote(p) if (output / p).is_file() else None} for p in paths],
        "thumb": quote(thumbs[0]) if thumbs else None,
        "model": _model_script(output, row.name, paths),
        "figures": {name: report[name] for name in _FIGURES if name in report},
    }


def _model_script(output: Path, name: str, paths: list[str]) -> str | None:
    """The script file that hands the item's first GLB to the viewer, made once per content; None without a GLB."""
    source = next((output / p for p in paths if p.lower().endswith(".glb") and (output / p).is_file()), None)
    if source is None:
        return None
    data = source.read_bytes()
    script = output / ".page" / f"{hashlib.sha256(name.encode() + data).hexdigest()[:24]}.js"
    if not script.exists():
        script.parent.mkdir(exist_ok=True)
        part = script.with_suffix(".part")
        label = json.dumps(name).replace("<", "\\u003c")
        part.write_text(f'maquetteModel({label}, "{base64.b64encode(data).decode()}");\n', encoding="utf-8")
        part.replace(script)
    return quote(f".page/{script.name}")
