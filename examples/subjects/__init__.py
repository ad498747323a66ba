"""One file per example object; ``scenes.py`` gathers them."""
