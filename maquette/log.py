"""The one logger of the pack: ``log`` is named ``maquette`` and never configures the root logger."""

from __future__ import annotations

import logging

log = logging.getLogger("maquette")
log.addHandler(logging.NullHandler())
