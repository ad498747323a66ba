"""Procedural scenes: a seed -> primitives -> picture, ray intervals, columns. Deterministic; nothing is downloaded."""
