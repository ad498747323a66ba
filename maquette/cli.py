"""The command line. Imports nothing heavy: ``maquette --help`` must answer at once.

Exit codes: 0 done, 2 bad input, 3 something is missing, 4 failed the quality gate, 130 cancelled.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence

from . import __version__
from .commands import COMMANDS
from .errors import MaquetteError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(name)s: %(message)s")
    try:
        return int(options.run(options))
    except MaquetteError as error:
        _complain(error, as_json=getattr(options, "json", False))
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("maquette: cancelled; nothing was written\n")
        return 130


def parser() -> argparse.ArgumentParser:
    """The whole grammar; each command file adds its own part."""
    top = argparse.ArgumentParser(
        prog="maquette",
        description="Pictures in, clean, textured, certified 3D assets out.",
        epilog="exit codes: 0 done, 2 bad input, 3 something is missing, 4 failed the quality gate",
    )
    top.add_argument("--version", action="version", version=f"maquette {__version__}")
    top.add_argument("-v", "--verbose", action="store_true", help="log what each stage does")
    groups = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(groups)
    return top


def _complain(error: MaquetteError, as_json: bool) -> None:
    """One line for people, or one JSON object on standard output for programs."""
    if as_json:
        json.dump({"error": type(error).__name__, "message": str(error), "exit_code": error.exit_code}, sys.stdout)
        sys.stdout.write("\n")
    else:
        sys.stderr.write(f"maquette: {error}\n")
