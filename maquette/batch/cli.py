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

from ..errors import BadInputError, MaquetteError, MissingError
from ..log import log
from .run import Run

_DEFAULT_WORKFLOW = Path(__file__).resolve().parent.parent.parent / "workflows" / "api" / "single_image.json"


def parser() -> argparse.ArgumentParser:
    """The grammar."""
    p = argparse.ArgumentParser(prog="batch_process.py", description="Many pictures through ComfyUI, unattended.")
    p.add_argument("input", help="folder, glob, .zip, or a manifest (.csv, .jsonl)")
    p.add_argument("-o", "--output", type=Path, required=True, help="folder of the results, the ledger and the report")
    p.add_argument("--workflow", type=Path, default=_DEFAULT_WORKFLOW, help="workflow in API format")
    p.add_argument("--server", action="append", default=[], metavar="URL[=MODEL,..]", help="repeat for several servers")
    p.add_argument("--set", action="append", default=[], metavar="NODE.input=VALUE", dest="overrides")
    p.add_argument("--cooldown", type=float, default=15, help="longest pause after a job in seconds, 0 = off")
    p.add_argument("--hottest", type=float, default=83, help="wait while a local GPU is hotter than this (Celsius)")
    p.add_argument("--retries", type=int, default=3)
    p.add_argument("--timeout", type=float, default=1800, help="seconds a prompt may take")
    p.add_argument("--patience", type=float, default=300, help="seconds to wait for a server lost in the middle")
    p.add_argument(
        "--gate", default="", metavar="EXPR", help="refuse meshes unless, e.g. 'watertight and faces<=50000'"
    )
    p.add_argument("--restart-cmd", default="", help="command that restarts a lost server ({url} is replaced)")
    p.add_argument("--webhook", default="", help="address that gets each result; secret: MAQUETTE_WEBHOOK_SECRET")
    p.add_argument("--retry-failed", action="store_true", help="try what was given up before")
    p.add_argument("--broker", default="", metavar="URL", help="submit to workers (maquette worker) over redis://...")
    p.add_argument("--board", default="", metavar="URL", help="with a broker that is no Redis: the Redis of the leases")
    p.add_argument("--store", default="", metavar="URL", help="with --broker: where results go (default: the output)")
    p.add_argument("--watch", action="store_true", help="go on looking for new pictures until stopped")
    p.add_argument("--dry-run", action="store_true", help="check everything, queue nothing")
    p.add_argument("--json", action="store_true", help="print events as JSON lines")
    p.add_argument("-v", "--verbose", action="store_true")
    return p


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
