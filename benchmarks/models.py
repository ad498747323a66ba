"""Helper models at full size: seconds on the CPU, peak memory, download and licence, per backend.

The networks are built at their published sizes with random weights, because the published files cannot be had on every
machine: time and memory do not depend on the values. Each runs through the pack's own code on a 640 x 640 picture in a
process of its own. "CPU s" is processor time over all cores, which moves less when the machine is busy than "wall s".
``python -m benchmarks models`` measures all, ``python -m benchmarks.models [WORD ...]`` those whose name has a word.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import measure, table

PICTURE = Path(__file__).resolve().parent.parent / "examples" / "duck_on_table.jpg"
STAGES = ("segment", "depth", "detect")
TOKENS = 60
"""Length of the answer that Qwen3-VL is timed for: one box or two."""
LONG = {("detect", "qwen3-vl-2b")}
"""Timed at the first run: minutes, of which a warm-up would take as many again and hardly change the second."""


def main() -> None:
    """Print the table."""
    from maquette.backends import discover

    words = [word for word in sys.argv[1:] if word != "models"]
    rows = []
    for stage in STAGES:
        package = importlib.import_module(f"maquette.{stage}")
        for name, module in sorted(discover(package.__name__, list(package.__path__)).items()):
            if words and not any(word in name for word in words):
                continue
            spec = module.SPEC
            got = measured(stage, name)
            size = sum(file.size or 0 for file in spec.weights)
            vram = f"about {spec.room >> 20} (estimate)" if spec.room else ""
            rows.append([stage, name, spec.licence, size / 1e6 if size else "", *got, "not measured", vram])
            print("|", *(f"{cell} |" for cell in rows[-1]), flush=True)
    header = ["stage", "backend", "licence", "download MB", "million weights", "CPU s", "wall s", "peak MB"]
    print(table("Helper models, 640 x 640 picture, random weights at full size", [*header, "GPU ms", "VRAM MB"], rows))


def measured(stage: str, name: str) -> list[Any]:
    """[million weights, CPU seconds, wall seconds, peak MB]; a reason where it cannot be measured here."""
    if (stage, name) not in WORK:
        return ["not measured", "", "", ""]
    got = measure(run, stage, name)
    if isinstance(got.value, str):
        return [got.value, "", "", ""]
    weights, cpu, wall = got.value
    return [weights / 1e6 if weights else "", cpu, wall, got.peak_mb]


def run(stage: str, name: str) -> tuple[int, float, float] | str:
    """(weights, CPU seconds, wall seconds) of the second of two runs (``LONG``: of one), or what is missing."""
    from maquette.image import read_picture

    try:
        model, work = WORK[stage, name](read_picture(PICTURE))
        if (stage, name) not in LONG:
            work()
    except ImportError as error:
        return f"not measured: {error}"
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return _count(model), time.process_time() - cpu, time.perf_counter() - wall


Work = tuple[Any, Callable[[], Any]]
"""The network (None: a method without weights) and a call that runs it, on whatever device it lies by then."""


def _count(model: Any) -> int:
    return sum(p.numel() for p in model.parameters()) if model is not None else 0


def _plain(stage: str, name: str) -> Callable[[Any], Work]:
    """A method without weights."""

    def prepare(picture: Any) -> Work:
        package = importlib.import_module(f"maquette.{stage}")
        if stage == "segment":
            if package.unavailable(name):
                raise ImportError(package.unavailable(name))
            return None, lambda: package.segment(picture, name)
        if stage == "detect":
            return None, lambda: package.detect(picture, "duck", name)
        from maquette.data import View
        from maquette.segment import segment

        view = View(picture.rgb, segment(picture, "walker").mask, name="duck")
        return None, lambda: package.estimate(view, name)

    return prepare


def _depth(hidden: int, layers: int, heads: int, taps: list[int], neck: list[int], fusion: int) -> Any:
    def prepare(picture: Any) -> Work:
        import transformers

        from maquette.depth._depth_anything.run import answer
        from maquette.progress import silent

        backbone = transformers.Dinov2Config(
            hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, image_size=518, patch_size=14,
            out_indices=taps, reshape_hidden_states=False, apply_layernorm=True,
        )  # fmt: skip
        config = transformers.DepthAnythingConfig(
            backbone_config=backbone, reassemble_hidden_size=hidden, neck_hidden_sizes=neck, fusion_hidden_size=fusion
        )
        model = transformers.DepthAnythingForDepthEstimation(config).eval()
        return model, lambda: answer(model, picture.rgb, silent())

    return prepare


def _sam(hidden: int, blocks: list[int], heads: int, everywhere: list[int], windows: list[int], side: int) -> Any:
    def prepare(picture: Any) -> Work:
        import transformers

        from maquette.progress import silent
        from maquette.segment._sam2 import cut_out, guessed

        dims = [hidden * 2**k for k in range(4)]
        backbone = transformers.Sam2HieraDetConfig(
            hidden_size=hidden, num_attention_heads=heads, blocks_per_stage=blocks, embed_dim_per_stage=dims,
            num_attention_heads_per_stage=[heads * 2**k for k in range(4)], window_size_per_stage=windows,
            global_attention_blocks=everywhere, window_positional_embedding_background_size=[side, side],
        )  # fmt: skip
        vision = transformers.Sam2VisionConfig(backbone_config=backbone, backbone_channel_list=dims[::-1])
        model = transformers.Sam2Model(transformers.Sam2Config(vision_config=vision)).eval()
        given = guessed(picture)
        return model, lambda: cut_out(model, picture.rgb, given, None, silent())

    return prepare


def _dino(picture: Any) -> Work:
    import torch
    import transformers

    from maquette.detect.grounding_dino import look

    def tokens(text: str, **_: Any) -> dict[str, Any]:  # as many tokens as "duck." has; the real one needs its files
        del text
        ids = torch.tensor([[101, 9457, 1012, 102]])
        offsets = torch.tensor([[(0, 0), (0, 4), (4, 5), (0, 0)]])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "offset_mapping": offsets}

    model = transformers.GroundingDinoForObjectDetection(transformers.GroundingDinoConfig()).eval()
    return model, lambda: look(model, tokens, picture.rgb, ("duck",))


def _qwen(picture: Any) -> Work:
    import torch
    import transformers

    from maquette.detect import _qwen3_vl, qwen3_vl
    from maquette.progress import silent

    plain: Any = getattr(transformers, "Qwen2VLImageProcessorPil", None) or transformers.Qwen2VLImageProcessor
    images = plain(patch_size=16, merge_size=2, temporal_patch_size=2, min_pixels=65536, max_pixels=16777216)
    text = {
        "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28, "head_dim": 128,
        "num_attention_heads": 16, "num_key_value_heads": 8, "tie_word_embeddings": True, "eos_token_id": None,
        "rope_scaling": {"rope_type": "default", "mrope_section": [24, 20, 20], "mrope_interleaved": True},
    }  # fmt: skip
    vision = {
        "depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16, "out_hidden_size": 2048,
        "patch_size": 16, "num_position_embeddings": 2304, "deepstack_visual_indexes": [5, 11, 17],
    }  # fmt: skip
    config = transformers.Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True)
    size, device = sum(file.size or 0 for file in qwen3_vl.SPEC.weights), "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_default_dtype(_qwen3_vl.precision(size, device))
    network = transformers.Qwen3VLForConditionalGeneration(config).eval()
    torch.set_default_dtype(torch.float32)
    network.generation_config.eos_token_id = None
    _qwen3_vl.LONGEST_ANSWER = TOKENS
    model = _qwen3_vl.Model(network, _Words(config.image_token_id), images)
    question = _qwen3_vl.QUESTION.format(words="duck")
    return network, lambda: _qwen3_vl.ask(model, picture.rgb, question, silent())


class _Words:
    """As much of a tokenizer as ``ask`` uses: a token per image pad, and one per four other characters."""

    def __init__(self, image: int) -> None:
        self.image = image

    def __call__(self, text: str, **_: Any) -> dict[str, Any]:
        import torch

        from maquette.detect._qwen3_vl import IMAGE

        before, after = text.split(IMAGE)[0], text.split(IMAGE)[-1]
        ids = [1] * (len(before) // 4) + [self.image] * text.count(IMAGE) + [1] * (len(after) // 4)
        tokens = torch.tensor([ids])
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}

    def convert_tokens_to_ids(self, _: str) -> int:
        return self.image

    def decode(self, ids: Any, **_: Any) -> str:
        return str(ids.tolist() if hasattr(ids, "tolist") else list(ids))


SMALL = _depth(384, 12, 6, [3, 6, 9, 12], [48, 96, 192, 384], 64)
WORK: dict[tuple[str, str], Callable[[Any], Work]] = {
    ("segment", "walker"): _plain("segment", "walker"),
    ("segment", "grabcut"): _plain("segment", "grabcut"),
    ("detect", "apart"): _plain("detect", "apart"),
    ("depth", "relief"): _plain("depth", "relief"),
    ("depth", "depth-anything-v2-small"): SMALL,
    ("depth", "depth-anything-v2-metric-indoor-small"): SMALL,
    ("depth", "depth-anything-v2-base"): _depth(768, 12, 12, [3, 6, 9, 12], [96, 192, 384, 768], 128),
    ("depth", "depth-anything-v2-large"): _depth(1024, 24, 16, [5, 12, 18, 24], [256, 512, 1024, 1024], 256),
    ("segment", "sam2.1-tiny"): _sam(96, [1, 2, 7, 2], 1, [5, 7, 9], [8, 4, 14, 7], 7),
    ("segment", "sam2.1-small"): _sam(96, [1, 2, 11, 2], 1, [7, 10, 13], [8, 4, 14, 7], 7),
    ("segment", "sam2.1-base-plus"): _sam(112, [2, 3, 16, 3], 2, [12, 16, 20], [8, 4, 14, 7], 14),
    ("segment", "sam2.1-large"): _sam(144, [2, 6, 36, 4], 2, [23, 33, 43], [8, 4, 16, 8], 7),
    ("detect", "grounding-dino"): _dino,
    ("detect", "qwen3-vl-2b"): _qwen,
}


if __name__ == "__main__":
    main()
