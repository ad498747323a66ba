"""``python -m benchmarks [NAME ...]``: run benchmarks and print their tables; by default all that need no GPU."""

from __future__ import annotations

import importlib
import sys

DEFAULT = ("river", "silhouette", "extract", "mesh", "bake", "kernels", "nano")


def main(names: list[str]) -> None:
    """Run each named benchmark's ``main``."""
    for name in names or DEFAULT:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
