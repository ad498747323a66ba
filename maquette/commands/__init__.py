"""One file per command: ``add(groups)`` states its grammar, ``run`` does it with imports of its own."""

from . import (
    backends,
    bake,
    certify,
    clean,
    depth,
    detect,
    doctor,
    generate,
    models,
    prompts,
    segment,
    unwrap,
    worker,
)

COMMANDS = (
    generate, clean, unwrap, bake, certify, doctor, backends, models, segment, depth, prompts, detect, worker,
)  # fmt: skip
