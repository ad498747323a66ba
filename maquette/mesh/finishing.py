"""Finish: clean, bring down to a budget, measure against the input and certify, as the command and the node do it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..data import Mesh, MeshReport
from ..errors import GateError
from ..gate import CLEAN_FIELDS, gate
from ..progress import Progress, silent
from .certificate import certify
from .cleaning import clean
from .distances import distances
from .parts import usable
from .reducing import simplify


@dataclass(frozen=True)
class Finished:
    """mesh: the result; report: its certificate; figures: what ``clean`` counted, with ``distance_mean``,
    ``distance_p99`` and ``distance_max`` of the result from the input (world units)."""

    mesh: Mesh
    report: MeshReport
    notes: tuple[str, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON: ``mesh`` is the certificate, ``clean`` what was changed."""
        return {"mesh": self.report.as_dict(), "clean": dict(self.figures), "notes": list(self.notes)}

    def refusal(self, expression: str) -> GateError | None:
        """The error of the gate, None when it passes or ``expression`` is empty.

        The gate sees every field of the certificate and, where no field of it has the name, every figure of the clean:
        ``certified and distance_p99 < 0.01``. BadInputError for an expression that cannot be understood.
        """
        if not expression.strip():
            return None
        try:
            gate({**dict.fromkeys(CLEAN_FIELDS), **self.figures, **self.report.as_dict()}, expression)
        except GateError as error:
            return error
        return None


def finish(mesh: Mesh, *, faces: int = 0, progress: Progress | None = None, **cleaning: Any) -> Finished:
    """``mesh`` cleaned, with at most ``faces`` triangles (met within 2 %; 0 keeps all), measured and certified.

    cleaning: the options of ``clean``. Raises what ``clean`` and ``simplify`` raise.
    """
    progress = progress or silent()
    budget = faces > 0
    cleaned = clean(mesh, distance=not budget, progress=progress.part(0.0, 0.4 if budget else 0.7), **cleaning)
    made, figures = cleaned.mesh, dict(cleaned.figures)
    if budget:
        if faces < len(made.faces):  # not those of the input: a repair can make a mesh larger than it came
            made = simplify(made, faces, progress=progress.part(0.4, 0.7))
            figures |= {"vertices": len(made.vertices), "faces": len(made.faces)}
        figures |= distances(usable(mesh)[0], usable(made)[0])
    report = certify(made, progress=progress.part(0.7, 1.0))
    return Finished(made, report, cleaned.notes, figures)
