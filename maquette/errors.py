"""Every error that Maquette raises on purpose.

A message says three things: what was wrong, what was got, what to do next. ``exit_code`` is what the command line
returns for the error (0 done, 2 bad input, 3 something is missing, 4 failed the quality gate).
"""

from __future__ import annotations


class MaquetteError(Exception):
    """Base of all errors raised on purpose; anything else that escapes is a bug."""

    exit_code = 1


class BadInputError(MaquetteError, ValueError):
    """What the user gave cannot be used: the message names the value and the remedy."""

    exit_code = 2


class BadImageError(BadInputError):
    """A picture that cannot be read, or that holds nothing to reconstruct."""


class BadMaskError(BadInputError):
    """A mask that is empty, of another size, or not a mask."""


class BadMeshError(BadInputError):
    """A mesh with no faces, with NaN vertices or with indices out of range."""


class BadViewsError(BadInputError):
    """Views that contradict each other or whose number does not fit what was asked."""


class MissingError(MaquetteError):
    """A backend, library, weight file or compiler is not there; the message says how to get it."""

    exit_code = 3


class WeightsError(MissingError):
    """A weight file is missing, truncated or not the published one."""


class GateError(MaquetteError):
    """A mesh was refused by the quality gate."""

    exit_code = 4


class UnreachableTargetError(MaquetteError):
    """A face target or another goal that this mesh cannot meet; the message says why."""

    exit_code = 4


class OutOfMemoryLadderError(MaquetteError):
    """Every rung of the out-of-memory ladder failed."""

    exit_code = 3


class StageTimeoutError(MaquetteError):
    """A step in a child process ran past its time limit and was ended."""

    exit_code = 1


class WorkerDiedError(MaquetteError):
    """A step in a child process died; the message carries the end of what it printed."""


class Cancelled(MaquetteError):  # noqa: N818 - it is no error, it is the user's wish
    """The user asked to stop. Inside ComfyUI its own exception is raised in place of this one."""

    exit_code = 130
