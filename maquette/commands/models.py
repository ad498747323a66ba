"""``maquette models``: list, fetch and verify published weights."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ._terminal import columns, print_json, progress_bar, say


def add(groups: Any) -> None:
    """The grammar of the command."""
    p = groups.add_parser("models", help="list, fetch or verify model weights")
    p.add_argument("action", choices=("list", "fetch", "verify"))
    p.add_argument("name", nargs="?", help="backend name, as `maquette models list` prints it")
    p.add_argument("--models-dir", help="folder with downloaded models")
    p.add_argument("--json", action="store_true", help="print as JSON")
    p.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List, or act on one model."""
    from .. import weights
    from ..errors import BadInputError

    if options.action == "list":
        rows = weights.cli_rows(models_dir=options.models_dir)
        if options.json:
            print_json(rows)
            return 0
        for line in columns([(r["stage"], r["name"], _size(r["size_mb"]), r["licence"], r["state"]) for r in rows]):
            say(line)
        return 0
    if not options.name:
        raise BadInputError(f"say which model to {options.action}: `maquette models list` names them")
    act = weights.fetch if options.action == "fetch" else weights.verify
    with progress_bar(quiet=options.json) as progress:
        paths: list[Path] = act(options.name, models_dir=options.models_dir, progress=progress)
    if options.json:
        print_json([str(path) for path in paths])
    else:
        for path in paths:
            say(f"ok  {path}")
    return 0


def _size(megabytes: int | str) -> str:
    return f"{megabytes:>6} MB" if isinstance(megabytes, int) else " size unknown"
