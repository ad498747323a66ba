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
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .ledger import Ledger, Row
from .reading import report_of

TEMPLATE = Path(__file__).with_name("page.html")
_FIGURES = ("faces", "vertices", "watertight", "components", "certified", "self_intersections")


def write_page(output: Path, ledger: Ledger) -> Path:
    """Write the page of all items in the ledger, whole or not at all."""
    written = time.strftime("%Y-%m-%d %H:%M")
    items = [_entry(output, row) for row in ledger.rows()]
    data = {"items": items, "counts": ledger.counts(), "written": written}
    # "<" cannot close the script tag, and U+2028/9 cannot end a line of script
    text = json.dumps(data).replace("<", "\\u003c")
    page = TEMPLATE.read_text(encoding="utf-8").replace("/*DATA*/null", text)
    part, target = output / ".index.part", output / "index.html"
    part.write_text(page, encoding="utf-8")
    part.replace(target)
    used = {str(item["model"]).removeprefix(".page/") for item in items}
    for script in (output / ".page").glob("*"):
        if script.name not in used:  # of a result that was made again
            script.unlink()
    return target


def _entry(output: Path, row: Row) -> dict[str, Any]:
    paths = [str(out["path"]) for out in row.outputs]
    report = report_of((output / paths[0]).parent) if row.state == "done" and paths else {}
    thumbs = [p for p in paths if p.lower().endswith((".png", ".jpg", ".webp")) and (output / p).is_file()]
    thumbs.sort(key=lambda p: not p.endswith("/turntable.png"))
    if row.state == "dead":
        thumbs = _pictures_of_letter(output, row.name)
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
        "model": _model_script(output, row),
        "figures": {name: report[name] for name in _FIGURES if name in report},
    }


def _pictures_of_letter(output: Path, name: str) -> list[str]:
    """What was given up is shown as it came in."""
    found = sorted((output / "dead_letter" / name).glob("*"))
    return [p.relative_to(output).as_posix() for p in found if p.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")]


def _model_script(output: Path, row: Row) -> str | None:
    """The script file that hands the item's first GLB to the viewer, made once per content; None without a GLB."""
    models = (out for out in row.outputs if str(out["path"]).lower().endswith(".glb"))
    source = next((out for out in models if (output / out["path"]).is_file()), None)
    if source is None:
        return None
    mark = hashlib.sha256(f"{row.name}\0{source['sha256']}\0{source['path']}".encode()).hexdigest()[:24]
    script = output / ".page" / f"{mark}.js"
    if not script.exists():
        script.parent.mkdir(exist_ok=True)
        part = script.with_suffix(".part")
        label = json.dumps(row.name).replace("<", "\\u003c")
        data = base64.b64encode((output / source["path"]).read_bytes()).decode()
        part.write_text(f'maquetteModel({label}, "{data}");\n', encoding="utf-8")
        part.replace(script)
    return quote(f".page/{script.name}")
