"""The numbers a scene is made of: slots of a primitive, of a scene's header and of a camera with its light.

csrc/scene.h reads the same slots; ``reference.py`` is its twin in PyTorch.
"""

from __future__ import annotations

PRIM, HEAD, LOOK = 40, 16, 40
"""Floats of one primitive, of one scene's header, of one camera with its light."""
MAX_PRIMS = 48
LAYERS = 6
"""Ray intervals kept."""

# a primitive
KIND, OP, BLEND, MIRROR, REPEAT, COUNT, SPACING = range(7)
CENTER = slice(7, 10)
ROTATION = slice(10, 19)
"""Rows of the matrix that turns object coordinates into the primitive's own."""
DIMS = slice(19, 23)
ROUND = 23
COLOR = slice(24, 27)
PATTERN, PATTERN_SCALE = 27, 28
COLOR2 = slice(29, 32)
SHELL, GLOSS, BEND, RADIUS, LIPSCHITZ, PHASE, COUNT2, SPACING2 = range(32, 40)

ELLIPSOID, BOX, CONE, CAPSULE, TORUS, ARC, FRAME = range(7)
UNION, CUT = 0, 1
RADIAL, LINE = 1, 2

# a header
N_PRIMS, TWIST, LEAN = 0, 1, 2
BUMP, BUMP_FREQUENCY = 4, 5
STEP = 9
ROUGH, GRAIN_FREQUENCY, GRAIN = 10, 11, 12
ANYWHERE = 13
"""1 = seen from any direction, lying or upside down; read by looks.py only."""

# a look
ORIGIN, RIGHT, UP, FORWARD = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 12)
HALF_WIDTH = 12
"""Tangent of half the field of view."""
LIGHT, LIGHT_COLOR, SKY, GROUND = slice(13, 16), slice(16, 19), slice(19, 22), slice(22, 25)
SHADOW, SPECULAR, RIM = 25, 26, 27
STRETCH = slice(28, 31)
STRETCH_STEP = 31
CLAY = 32
"""1 = the whole object in one colour, without texture."""
CLAY_COLOR = slice(33, 36)
