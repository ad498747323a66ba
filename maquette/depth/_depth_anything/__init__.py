"""Depth Anything V2's three sizes share these: pins, picture to tensor, run, tiles."""
