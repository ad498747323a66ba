"""``python -m maquette``."""

import sys

from .cli import main

sys.exit(main())
