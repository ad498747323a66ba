"""The whole network: picture -> triplanes, and the small decoder that reads them.

The state dict has exactly the keys and shapes of the published checkpoint (tests compare it with the manifest).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from .config import Config
from .transformer import Transformer, flat_tokens, upsample
from .vit import Observer, Vit

Use = Callable[[nn.Module], AbstractContextManager[object]]
"""Makes one part's weights ready where the tokens are (all of them always are, unless weights are streamed)."""

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def _everything_is_there(_part: nn.Module) -> AbstractContextManager[object]:
    return nullcontext()


def _unobserved(_name: str, _value: Tensor) -> None: ...


class Tokenizer(nn.Module):
    """The learned triplane tokens; ``embeddings`` [3, C, n, n]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.embeddings = nn.Parameter(torch.zeros(3, config.channels, config.plane_size, config.plane_size))


class Decoder(nn.Module):
    """Linear and SiLU ``decoder_layers`` times, then linear to (density, red, green, blue) before activation."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.decoder_width
        layers: list[nn.Module] = []
        for index in range(config.decoder_layers):
            layers += [nn.Linear(3 * config.plane_channels if index == 0 else width, width), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 4))

    @property
    def linears(self) -> list[nn.Linear]:
        """The linear layers in order."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]


class Network(nn.Module):
    """All parameters; the maths of a pass is ``encode``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.image_tokenizer = nn.ModuleDict({"model": Vit(config.vit)})
        self.tokenizer = Tokenizer(config)
        self.backbone = Transformer(config)
        self.post_processor = nn.ModuleDict(
            {"upsample": nn.ConvTranspose2d(config.channels, config.plane_channels, kernel_size=2, stride=2)}
        )
        self.decoder = Decoder(config)

    @property
    def vit(self) -> Vit:
        """The image encoder."""
        return self.image_tokenizer["model"]  # type: ignore[return-value]

    def parts(self) -> list[nn.Module]:
        """What a pass uses, in the order of use: the units in which weights can be streamed."""
        vit, trunk = self.vit, self.backbone
        before = [vit.embeddings, *vit.layers, vit.layernorm, self.tokenizer, trunk.norm, trunk.proj_in]
        return [*before, *trunk.blocks, trunk.proj_out, self.post_processor["upsample"]]


def empty_network(config: Config) -> Network:
    """A network without memory (on the ``meta`` device): names and shapes only."""
    with torch.device("meta"):
        return Network(config).eval().requires_grad_(False)


@torch.inference_mode()
def encode(
    network: Network,
    images: Tensor,  # [B, S, S, 3] in [0, 1], sRGB; its device is where the pass runs
    *,
    dtype: torch.dtype = torch.float32,
    use: Use = _everything_is_there,
    check: Callable[[], None] = lambda: None,
    observe: Observer | None = None,
) -> Tensor:
    """[B, 3, P, 2n, 2n] triplanes in ``dtype``. ``check`` is called between layers, so that Cancel gets through."""
    see = observe or _unobserved
    image = _image_tokens(network, images, dtype, use, check, see)
    see("image_tokens", image)
    config, trunk = network.config, network.backbone
    with use(network.tokenizer):
        residual = flat_tokens(network.tokenizer.embeddings.to(images.device, dtype))
    see("tokens_in", residual.expand(len(images), -1, -1))
    with use(trunk.norm):
        tokens = trunk.norm(residual)
    see("backbone_norm", tokens.expand(len(images), -1, -1))
    with use(trunk.proj_in):
        tokens = trunk.proj_in(tokens.transpose(1, 2))
    see("backbone_proj_in", tokens.expand(len(images), -1, -1))
    for index, block in enumerate(trunk.blocks):
        check()
        with use(block):
            named = None if observe is None else _prefixed(see, f"backbone_block_{index}")
            tokens = block(tokens, image, named)
    with use(trunk.proj_out):
        tokens = trunk.proj_out(tokens).transpose(1, 2) + residual
    see("tokens_out", tokens)
    last: nn.ConvTranspose2d = network.post_processor["upsample"]  # type: ignore[assignment]
    with use(last):
        assert last.bias is not None
        codes = upsample(tokens, last.weight, last.bias, config.plane_size)
    see("scene_codes", codes)
    return codes


def _image_tokens(
    network: Network, images: Tensor, dtype: torch.dtype, use: Use, check: Callable[[], None], see: Observer
) -> Tensor:
    """[B, 1 + (S / patch)^2, C']: the class token stays, first."""
    vit = network.vit
    normal = torch.stack([(images[..., i] - MEAN[i]) / DEVIATION[i] for i in range(3)], dim=1).to(dtype)
    with use(vit.embeddings):
        tokens = vit.embeddings(normal)
    see("vit_embeddings", tokens)
    for index, layer in enumerate(vit.layers):
        check()
        with use(layer):
            tokens = layer(tokens)
        see(f"vit_layer_{index}", tokens)
    with use(vit.layernorm):
        return vit.layernorm(tokens)


def _prefixed(see: Observer, prefix: str) -> Observer:
    return lambda name, value: see(prefix + name, value)
