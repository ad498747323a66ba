"""The sizes of a TripoSR network; the defaults are the published model's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import BadInputError


@dataclass(frozen=True)
class VitConfig:
    """The image encoder (DINO ViT-B/16 when published). ``image_size``: pixels the position grid was made for."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    image_size: int = 224
    patch_size: int = 16
    epsilon: float = 1e-12


@dataclass(frozen=True)
class Config:
    """The whole network.

    image_size: the square picture that is encoded, pixels; plane_size: tokens along one side of a plane (the output has
    twice as many texels); channels: token width outside, heads * head_dim inside the transformer; plane_channels: of
    the output; radius: half side of the volume's cube; density_bias: density = exp(decoder output 0 + density_bias).
    """

    vit: VitConfig = field(default_factory=VitConfig)
    image_size: int = 512
    plane_size: int = 32
    channels: int = 1024
    heads: int = 16
    head_dim: int = 64
    layers: int = 16
    plane_channels: int = 40
    decoder_width: int = 64
    decoder_layers: int = 9
    radius: float = 0.87
    density_bias: float = -1.0
    samples_per_ray: int = 128

    @property
    def inner(self) -> int:
        """Token width inside the transformer."""
        return self.heads * self.head_dim


def config_from_reference(model: Mapping[str, Any], vit: Mapping[str, Any]) -> Config:
    """The sizes in the published ``config.yaml`` layout (parsed) and a ViT's ``config.json``.

    Raises BadInputError where a value asks for something that this implementation does not compute.
    """
    for where, key, known in (("decoder", "activation", "silu"), ("renderer", "feature_reduction", "concat")):
        if model[where].get(key, known) != known:
            raise BadInputError(f"{where}.{key} is '{model[where][key]}'; only '{known}' is written")
    if model["renderer"].get("density_activation", "exp") != "exp":
        raise BadInputError("renderer.density_activation must be 'exp', as in the published model")
    planes, trunk, decoder, renderer = (model[k] for k in ("tokenizer", "backbone", "decoder", "renderer"))
    encoder = VitConfig(
        width=vit["hidden_size"],
        layers=vit["num_hidden_layers"],
        heads=vit["num_attention_heads"],
        hidden=vit["intermediate_size"],
        image_size=vit["image_size"],
        patch_size=vit["patch_size"],
        epsilon=vit["layer_norm_eps"],
    )
    return Config(
        vit=encoder,
        image_size=model["cond_image_size"],
        plane_size=planes["plane_size"],
        channels=planes["num_channels"],
        heads=trunk["num_attention_heads"],
        head_dim=trunk["attention_head_dim"],
        layers=trunk["num_layers"],
        plane_channels=model["post_processor"]["out_channels"],
        decoder_width=decoder["n_neurons"],
        decoder_layers=decoder["n_hidden_layers"],
        radius=renderer["radius"],
        density_bias=renderer.get("density_bias", -1.0),
        samples_per_ray=renderer.get("num_samples_per_ray", 128),
    )
