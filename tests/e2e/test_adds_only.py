"""Installing the pack into a real ComfyUI environment adds packages and changes none that is there."""

from __future__ import annotations

from comfy_installs import Install, normal

NEVER = {"torch", "torchvision", "torchaudio", "numpy", "transformers", "pillow", "opencv-python", "xformers"}


def test_installing_the_requirements_adds_only(install: Install) -> None:
    """pip's own plan for our requirements names nothing that the environment has already."""
    planned = {normal(name): version for name, version in install.resolution}
    changed = {name: (install.frozen[name], planned[name]) for name in planned.keys() & install.frozen.keys()}
    assert not changed, f"installing would replace (have, get): {changed}"
    assert not planned.keys() & NEVER


def test_the_plan_brings_everything_the_pack_asks_for(install: Install) -> None:
    """What is there and what would be added together meet requirements.txt."""
    from comfy_installs import REQUIREMENTS

    have = install.frozen.keys() | {normal(name) for name, _ in install.resolution}
    lines = REQUIREMENTS.read_text().splitlines()
    wanted = {normal(line.split(">=")[0]) for line in lines if line and not line.startswith("#")}
    assert wanted and not wanted - have
