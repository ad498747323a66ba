"""The batch driver's command line.

Exit codes: 0 all done, 2 bad input, 3 something is missing (no server), 4 some items failed for good, 130 stopped.
"""

from __future__ import annotations

import argparse
import logging
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import BadInputError, MaquetteError, MissingError
from ..log import log
from .run import DEFAULT_SERVER, Run

_EXAMPLES = """examples:
  batch_process.py pictures -o out                          the shipped workflow, ComfyUI on this machine
  batch_process.py pictures -o out --dry-run                is everything there?
  batch_process.py pictures -o out --set 5.resolution=128   smaller
  batch_process.py 'in/**/*.png' -o out --server http://a:8188 --server http://b:8188

Views of one object: robot_front.png, robot_back.png, ... or robot/front.png, robot/back.png, ...
Ctrl-C once finishes what runs, twice interrupts it.
exit codes: 0 all done, 2 bad input, 3 something is missing (a server), 4 some items were given up, 130 stopped"""
_DEFAULT_WORKFLOW = Path(__file__).resolve().parent.parent.parent / "workflows" / "api" / "single_image.json"


def parser() -> argparse.ArgumentParser:
    """The grammar."""
    p = argparse.ArgumentParser(
        prog="batch_process.py",
        description="Many pictures through ComfyUI, unattended. Run the same command again after anything: what is done"
        " is skipped, what was under way is found again.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("input", help="folder, glob, .zip, or a manifest (.csv, .jsonl)")
    p.add_argument("-o", "--output", type=Path, required=True, help="folder of the results and of index.html")
    _add_what(p.add_argument_group("what is made"))
    _add_how(p.add_argument_group("servers and patience"))
    _add_report(p.add_argument_group("checks and reports"))
    _add_queue(p.add_argument_group("many machines (docs/scale.md)"))
    return p


def _add_what(group: Any) -> None:
    group.add_argument("--workflow", type=Path, default=_DEFAULT_WORKFLOW, metavar="FILE", help="in API format")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NODE.input=VALUE",
        dest="overrides",
        help="a node by id or title, for example 5.resolution=128 or 'Simplify Mesh.faces=5000'; repeat for more",
    )
    group.add_argument(
        "--gate", default="", metavar="EXPR", help="refuse meshes unless, for example 'watertight and faces<=50000'"
    )
    group.add_argument("--retry-failed", action="store_true", help="try again what was given up before")
    group.add_argument("--watch", action="store_true", help="go on looking for new pictures until stopped")


def _add_how(group: Any) -> None:
    group.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="URL[=MODEL,..]",
        help=f"a ComfyUI, with the model versions it serves (default: {DEFAULT_SERVER}, all); repeat for more",
    )
    seconds = {"type": _number, "metavar": "SECONDS"}
    group.add_argument("--cooldown", default=15.0, **seconds, help="longest pause after a job, 0 = off (default: 15)")
    group.add_argument("--timeout", default=1800.0, **seconds, help="longest time of one prompt (default: 1800)")
    group.add_argument("--patience", default=300.0, **seconds, help="longest wait for a lost server (default: 300)")
    group.add_argument("--retries", type=_count, default=3, metavar="N", help="tries after the first (default: 3)")
    group.add_argument(
        "--hottest",
        type=_number,
        default=83.0,
        metavar="CELSIUS",
        help="wait while a local GPU is hotter (default: 83)",
    )
    group.add_argument(
        "--restart-cmd", default="", metavar="COMMAND", help="restarts a lost server ({url} is replaced by its address)"
    )


def _add_report(group: Any) -> None:
    group.add_argument("--dry-run", action="store_true", help="check everything, queue and write nothing")
    group.add_argument("--webhook", default="", metavar="URL", help="gets each result; secret: MAQUETTE_WEBHOOK_SECRET")
    group.add_argument("--json", action="store_true", help="print events as JSON lines")
    group.add_argument("-v", "--verbose", action="store_true", help="log what happens underneath")


def _add_queue(group: Any) -> None:
    group.add_argument("--broker", default="", metavar="URL", help="submit to workers (maquette worker): redis://...")
    group.add_argument("--board", default="", metavar="URL", help="Redis of the leases, when the broker is no Redis")
    group.add_argument("--store", default="", metavar="URL", help="where results go (default: the output folder)")


def _number(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not 0 or more")
    return value


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not 0, 1, 2 ...")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the batch."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    log.setLevel(
        logging.DEBUG if options.verbose else logging.WARNING
    )  # ours alone: urllib3 would log secret addresses
    try:
        _refuse_what_workers_decide(options)
        return Run(options).go()
    except MaquetteError as error:
        sys.stderr.write(f"batch_process: {error}\n")
        return error.exit_code
    except (OSError, sqlite3.Error) as error:  # the ledger's last state is on the disk: nothing is lost
        sys.stderr.write(f"batch_process: {error}; put it right and run the same command again\n")
        return MissingError.exit_code


def _refuse_what_workers_decide(options: argparse.Namespace) -> None:
    """With --broker the workers talk to the servers: an option that would do nothing is an error, not a surprise."""
    theirs = ("server", "cooldown", "hottest", "retries", "timeout", "patience", "restart_cmd")
    set_here = [name for name in theirs if getattr(options, name) != parser().get_default(name)]
    if options.broker and (set_here or options.watch):
        names = ", ".join("--" + name.replace("_", "-") for name in [*set_here, *(["watch"] if options.watch else [])])
        raise BadInputError(f"{names} cannot go with --broker: give it to 'maquette worker', if it has it")
    if not options.broker and (options.store or options.board):
        raise BadInputError("--store and --board go with --broker; without it, results go to the output folder")
