"""``maquette backends``: what each stage can run here, and what the rest would need."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from ..backends import discover, missing_reason
from ._terminal import columns, print_json, say

STAGES = ("segment", "depth", "reconstruct", "detect")


def add(groups: Any) -> None:
    """The grammar of the command."""
    p = groups.add_parser("backends", help="list the methods of every stage, and what the missing ones need")
    p.add_argument("--json", action="store_true", help="print as JSON")
    p.set_defaults(run=run)


def rows() -> list[dict[str, Any]]:
    """One row per backend; ``missing`` and ``missing_weights`` are empty when it can run."""
    from ..weights.ready import missing

    out = []
    for stage in STAGES:
        module = importlib.import_module(f"..{stage}", __package__)
        found = discover(module.__name__, list(module.__path__))
        for name in module.names():  # as auto prefers them
            backend = found[name]
            spec = backend.SPEC
            size = sum(file.size or 0 for file in spec.weights)
            out.append(
                {
                    "stage": stage,
                    "name": name,
                    "title": spec.title,
                    "summary": spec.summary,
                    "licence": spec.licence,
                    "commercial_use": spec.commercial_use,
                    "download_mb": round(size / 1e6, 1),
                    "vram_mb": spec.vram_mb,
                    "vram_estimated": spec.vram_estimated,
                    "missing": missing_reason(backend),
                    "missing_weights": missing(spec),
                }
            )
    return out


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    table = rows()
    if options.json:
        print_json(table)
        return 0
    lines = columns([(row["stage"], row["name"], row["licence"], _state(row)) for row in table])
    for row, line in zip(table, lines, strict=True):
        say(line)
        say(f"    {row['title']}: {row['summary']}{_vram(row)}")
    return 0


def _state(row: dict[str, Any]) -> str:
    return str(row["missing"] or row["missing_weights"] or "ready")


def _vram(row: dict[str, Any]) -> str:
    if not row["vram_mb"]:
        return ""
    most = max(row["vram_mb"].values())
    return f" ({'about ' if row['vram_estimated'] else 'up to '}{most} MB of GPU memory)"
