"""Depth Anything V2's sizes share these: pins, picture to tensor, run, tiles."""
