"""``maquette doctor``: what is here, what is missing, and the exact line that mends it."""

from __future__ import annotations

import argparse
from typing import Any

from ._terminal import print_json, say


def add(groups: Any) -> None:
    """The grammar of the command."""
    p = groups.add_parser("doctor", help="check this environment and say what to do about each problem")
    p.add_argument("--json", action="store_true", help="print as JSON")
    p.add_argument("--models-dir", help="folder with downloaded models")
    p.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 when everything the default path needs is there, else 3."""
    from ..doctor import examine, healthy, lines

    findings = examine(models_dir=options.models_dir)
    if options.json:
        print_json([finding.as_dict() for finding in findings])
    else:
        for line in lines(findings):
            say(line)
    return 0 if healthy(findings) else 3
