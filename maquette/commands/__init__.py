"""One file per command: ``add(groups)`` states its grammar, ``run`` does it with imports of its own."""

from . import backends, certify, depth, detect, doctor, generate, models, prompts, segment, worker

COMMANDS = (generate, certify, doctor, backends, models, segment, depth, prompts, detect, worker)
