"""Doctor: what this machine has, what is missing, and the line that mends it."""

from __future__ import annotations

import json
import time
from typing import Any

from comfy_api.latest import io

from ._comfy import at_home, models_dir
from ._schema import schema


class Doctor(io.ComfyNode):
    """The same report as ``maquette doctor``."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaquetteDoctor",
            display_name="Doctor",
            category="Maquette",
            description="Check Python, torch, GPU, memory, libraries and models, and say what to do about problems.",
            search_aliases=["diagnose", "system info", "check install"],
            is_output_node=True,
            inputs=[
                io.Boolean.Input("as_json", default=False, tooltip="Give JSON in place of text."),
            ],
            outputs=[
                io.String.Output(display_name="findings", tooltip="One line per finding; show it with Preview Any."),
                io.Boolean.Output(display_name="healthy", tooltip="True when the default path can run."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **_inputs: Any) -> Any:
        """Machines change: look again at every run."""
        return time.time()

    @classmethod
    def execute(cls, as_json: bool = False) -> io.NodeOutput:
        from ..maquette.doctor import examine, healthy, lines

        with at_home():
            found = examine(models_dir())
        text = json.dumps([f.as_dict() for f in found], indent=2) if as_json else "\n".join(lines(found))
        return io.NodeOutput(text, healthy(found), ui={"text": [text]})
