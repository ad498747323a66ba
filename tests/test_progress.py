"""Progress windows nest, never run past their ends, and give Cancel its chance at every step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.errors import Cancelled
from maquette.progress import Progress

share = st.floats(0, 1)


@given(share, share, st.floats(-10, 1000), st.floats(0.1, 100))
def test_a_part_never_leaves_its_window(a: float, b: float, done: float, total: float) -> None:
    seen: list[float] = []
    low, high = min(a, b), max(a, b)
    Progress(lambda value, _: seen.append(value)).part(low, high).update(done, total)
    assert low - 1e-9 <= seen[0] <= high + 1e-9


def test_parts_of_parts_multiply() -> None:
    seen: list[float] = []
    Progress(lambda value, _: seen.append(value)).part(0.5, 1.0).part(0.5, 1.0).update(1, 2)
    assert seen == [pytest.approx(0.875)]


def test_a_stage_is_timed_even_when_it_is_cancelled() -> None:
    def check() -> None:
        if armed:
            raise Cancelled("stop")

    armed = False
    progress = Progress(check=check)
    with pytest.raises(Cancelled), progress.stage("bake", 0, 1) as window:
        armed = True
        window.update(1, 2)
    assert list(progress.timings.seconds) == ["bake"]
