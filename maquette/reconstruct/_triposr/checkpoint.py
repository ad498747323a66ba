"""Reading the published checkpoint, or a safetensors copy of it, without running anything that it holds."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...errors import WeightsError
from .config import Config
from .network import Network, empty_network
from .shelf import Shelves


def load_network(path: Path, config: Config, dtype: torch.dtype) -> tuple[Network, Shelves]:
    """The network with its weights on shelves in ``dtype``; the decoder stays float32.

    Raises WeightsError when the file cannot be read or is not this model: wrong keys, shapes, NaN.
    """
    network = empty_network(config)
    state = read_state(path, lazily=dtype != torch.float32)
    check_state(state, network, path)
    return network, fill(network, state.pop, dtype)


def fill(network: Network, take: Callable[[str], Tensor], dtype: torch.dtype) -> Shelves:
    """Give an empty network its weights; ``take`` hands a tensor out by name (and may drop it)."""
    # a copy each: appearances keep the decoder, and a view of the file would keep all of it mapped
    decoder = {name: take(f"decoder.{name}").to(torch.float32, copy=True) for name in network.decoder.state_dict()}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in decoder.values()):
        raise WeightsError("the weights of 'decoder' hold NaN or infinite values; the file is broken: fetch it again")
    network.decoder.load_state_dict(decoder, assign=True)
    network.decoder.requires_grad_(False)
    return Shelves(network, take, dtype)


def read_state(path: Path, *, lazily: bool) -> dict[str, Tensor]:
    """All tensors of a ``.safetensors`` or ``.ckpt`` file by name; ``lazily``: mapped, read when they are used."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=lazily)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError, SafetensorError) as error:
        raise WeightsError(f"'{path}' cannot be read as weights ({_first_line(error)}); fetch it again") from error
    if not isinstance(state, dict):
        raise WeightsError(f"'{path}' holds a {type(state).__name__}, not the weights of a model")
    return dict(state)


def check_state(state: Mapping[str, object], network: Network, path: Path) -> None:
    """WeightsError unless names and shapes are exactly this network's."""
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    got = {name: tuple(value.shape) if isinstance(value, Tensor) else None for name, value in state.items()}
    problems = []
    for what, names in (("lacks", expected.keys() - got.keys()), ("has unknown", got.keys() - expected.keys())):
        if names:
            problems.append(f"{what} {len(names)} tensors ({', '.join(sorted(names)[:3])} ...)")
    wrong = sorted(name for name in expected.keys() & got.keys() if expected[name] != got[name])
    if wrong:
        name = wrong[0]
        problems.append(f"has {len(wrong)} of another shape ({name}: {got[name]} in place of {expected[name]})")
    if problems:
        raise WeightsError(f"'{path}' is not the TripoSR model: it {'; '.join(problems)}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
