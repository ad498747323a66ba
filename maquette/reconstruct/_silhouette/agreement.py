"""Do the views show one object? How much of each silhouette the others leave, and who is to blame when they do not."""

from __future__ import annotations

from collections.abc import Sequence

from ...data import View
from ...errors import BadViewsError
from ...geometry.hull import Rays

REFUSED = 0.75
"""A view of whose silhouette the others leave less than this share contradicts them."""
DOUBTFUL = 0.93
"""Below this the result carries a note."""


def shares(seen: Sequence[Rays], without: int | None = None, slack: float = 0.0) -> list[float]:
    """Per view the share of its silhouette whose rays meet the hull of the other views (1 for the view left out).

    slack: world units by which a ray may miss.
    """
    which = len(seen) if without is None else without
    return [
        1.0 if view == without else float((rays.met[which][rays.own > 0] > -slack).float().mean())
        for view, rays in enumerate(seen)
    ]


def check_agreement(views: Sequence[View], seen: Sequence[Rays], slack: float) -> list[str]:
    """Notes on doubtful views; BadViewsError that names the view without which the others agree best."""
    found = shares(seen, slack=slack)
    worst = min(range(len(views)), key=lambda i: found[i])
    if found[worst] >= REFUSED:
        return [
            f"view '{view.name}': the other views leave only {share:.0%} of its silhouette; is its direction right?"
            for view, share in zip(views, found, strict=True)
            if share < DOUBTFUL
        ]
    blamed, rest = worst, found[worst]
    if len(views) > 2:
        without = [min(shares(seen, without=k, slack=slack)) for k in range(len(views))]
        blamed = max(range(len(views)), key=lambda k: without[k])
        rest = without[blamed]
    other = ", ".join(f"'{v.name}' {s:.0%}" for v, s in zip(views, found, strict=True))
    cure = f"without '{views[blamed].name}' at least {rest:.0%} would stay" if len(views) > 2 else "there are only two"
    raise BadViewsError(
        f"the views contradict each other: view '{views[blamed].name}' does not fit the rest (share of each silhouette"
        f" that the other views leave: {other}; {cure}); check its direction and its mask, or leave it out"
    )
