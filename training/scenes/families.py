"""Seed -> scene. The list of families, their shares, and the deformations that every object may get."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from . import (
    animals,
    bodies,
    buildings,
    figures,
    furniture,
    goods,
    held_out,
    hollows,
    people,
    plants,
    rounds,
    things,
    vehicles,
)
from . import layout as at
from .builder import Builder, Scene

Family = Callable[[Builder, Random], None]

FAMILIES: dict[str, tuple[Family, float]] = {
    "blobs": (people.blobs, 0.7),
    "quadruped": (animals.quadruped, 1.6),
    "person": (people.person, 1.8),
    "bird": (animals.bird, 0.8),
    "insect": (animals.insect, 0.6),
    "plant": (plants.plant, 1.2),
    "tree": (plants.tree, 0.8),
    "bust": (people.bust, 1.0),
    "chair": (furniture.chair, 1.2),
    "table": (furniture.table, 0.9),
    "cabinet": (furniture.cabinet, 0.9),
    "vessel": (things.vessel, 1.1),
    "tool": (things.tool, 0.9),
    "lamp": (furniture.lamp, 0.8),
    "frame": (things.frame, 0.8),
    "crown": (things.crown, 0.4),
    "food": (things.food, 0.6),
    "csg": (things.csg, 1.3),
    "prop": (things.prop, 0.8),
    "house": (buildings.house, 1.1),
    "castle": (buildings.castle, 1.0),
    "vehicle": (vehicles.vehicle, 1.3),
    "ship": (vehicles.ship, 1.0),
    "robot": (vehicles.robot, 1.3),
    "rocks": (buildings.rocks, 0.5),
    "hub": (rounds.hub, 1.6),
    "ring": (rounds.ring, 0.6),
    "bowl": (hollows.bowl, 1.1),
    "tube": (hollows.tube, 0.7),
    "dome": (hollows.dome, 0.9),
    "box": (hollows.box, 0.6),
    "curled": (bodies.curled, 1.2),
    "hand": (bodies.hand, 0.7),
    "heavy": (bodies.heavy, 1.0),
    "seated": (bodies.seated, 0.8),
    "toy": (bodies.toy, 0.7),
    "knot": (bodies.knot, 0.4),
    "statue": (figures.statue, 0.8),
    "head": (figures.head, 0.8),
    "part": (goods.part, 1.0),
    "plate": (goods.plate, 0.6),
    "shoe": (goods.shoe, 0.4),
    "bottle": (goods.bottle, 0.5),
}
"""Trained on: name -> (maker, share)."""

ANYWHERE = {
    **dict.fromkeys(("hub", "ring", "part", "plate", "knot"), 0.6),
    **dict.fromkeys(("bowl", "tube", "dome", "box", "curled", "hand", "shoe", "bottle", "csg", "tool", "crown"), 0.4),
}
"""Chance of a scene to be seen from any direction; of the families not named OFTEN_UPRIGHT."""
OFTEN_UPRIGHT = 0.1

HOLLOW = ("bowl", "tube", "dome", "box")
FILLED = 0.6
"""Chance of a hollow thing to come as a solid of the same outside: from where no opening shows, nobody can tell the two
apart, and what might be either is to be taken for solid (a ball is no bowl seen from behind)."""

HELD_OUT: dict[str, Family] = {
    "aircraft": held_out.aircraft,
    "bicycle": held_out.bicycle,
    "mushroom": held_out.mushroom,
}
"""Never trained on."""


def make_scene(seed: int, family: str | None = None) -> Scene:
    """The scene of ``seed``; ``family`` picks one (held-out names included), else by share."""
    rng = Random(seed * 2 + 1)
    if family is None:
        names = list(FAMILIES)
        family = rng.choices(names, [FAMILIES[n][1] for n in names])[0]
    maker = HELD_OUT[family] if family in HELD_OUT else FAMILIES[family][0]
    builder = Builder(rng)
    maker(builder, rng)
    if family in HOLLOW and rng.random() < FILLED:
        builder.fill(keep_cuts=family == "dome")
    if (
        family not in HELD_OUT and rng.random() < 0.12
    ):  # two families in one: a rider, a lantern on a table, a mask on a tower
        other = rng.choice(list(FAMILIES))
        FAMILIES[other][0](builder, rng)
    scene = builder.scene(family)
    if rng.random() < 0.15:
        scene.head[at.LEAN] = rng.uniform(-0.25, 0.25)
    if rng.random() < 0.08:
        scene.head[at.TWIST] = rng.uniform(-0.6, 0.6)
    if rng.random() < 0.2:
        scene.head[at.BUMP], scene.head[at.BUMP_FREQUENCY] = rng.uniform(0.003, 0.015), rng.uniform(8, 30)
        scene.head[at.STEP] = 0.75
    if scene.head[at.LEAN] or scene.head[at.TWIST]:
        scene.head[at.STEP] *= 0.85
    scene.head[at.ANYWHERE] = rng.random() < ANYWHERE.get(family, OFTEN_UPRIGHT)
    return scene
