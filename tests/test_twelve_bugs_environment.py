"""Regression tests for the environment bugs among the mission's twelve (facts/mission.md, section C)."""

from __future__ import annotations

import pytest
import torch

from maquette import doctor
from maquette.selftest import PROBES, REFERENCES, check_device


def arithmetic() -> doctor.Finding:
    return next(f for f in doctor._torch() if f.name == "arithmetic cpu")


def test_a_sound_environment_passes_every_probe() -> None:
    assert check_device("cpu") == []
    assert arithmetic().state == "ok"
    assert PROBES.keys() == REFERENCES.keys()


def test_bug_4_a_cudnn_that_does_not_fit_is_named_before_a_job_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    """cuDNN trouble shows as a failing convolution: the doctor says so, with the remedy, instead of a stack trace."""

    def conv2d(*_args: object, **_kwargs: object) -> torch.Tensor:
        raise RuntimeError("cuDNN version incompatibility: compiled against (9, 1, 0) but found (8, 9, 2)\nmore")

    monkeypatch.setattr(torch.nn.functional, "conv2d", conv2d)
    finding = arithmetic()
    assert finding.state == "broken"
    assert "compiled against (9, 1, 0)" in finding.value
    assert "pytorch.org" in finding.remedy
    assert not doctor.healthy([finding])


@pytest.mark.parametrize("wrong", [lambda t: t * 1.05, lambda t: t * float("nan"), lambda t: t.flip(-1) + 0.5])
def test_bug_5_a_package_that_corrupts_the_maths_is_found(wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library replaced underneath computes without an error, but wrong: known answers expose it."""
    real = torch.nn.functional.grid_sample
    monkeypatch.setattr(torch.nn.functional, "grid_sample", lambda *a, **k: wrong(real(*a, **k)))
    troubles = check_device("cpu")
    assert len(troubles) == 1
    assert troubles[0].startswith("grid look-up on cpu gives")
    assert arithmetic().state == "broken"
