"""Maquette: pictures in, clean textured 3D assets out. Runs without ComfyUI; ``nodes/`` puts it into a graph."""

__version__ = "0.1.0"
