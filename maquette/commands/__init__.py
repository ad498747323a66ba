"""One file per command: ``add(groups)`` states its grammar, ``run`` does it with imports of its own."""

from . import backends, certify, doctor, generate, models

COMMANDS = (generate, certify, doctor, backends, models)
