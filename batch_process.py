"""Many pictures through ComfyUI, unattended: ``python batch_process.py INPUT -o OUT`` (see ``maquette/batch``)."""

import sys

from maquette.batch.cli import main

if __name__ == "__main__":
    sys.exit(main())
