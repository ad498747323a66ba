"""A ComfyUI workflow in API format as plain data: which nodes take the pictures, what is set, and is it valid here.

Nothing in a workflow file is ever executed; it is JSON that goes to a server.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadInputError

VIEW_NAMES = ("front", "right", "back", "left", "top", "bottom")
EVERY_NODE = "*"
"""As the node of an override: every node that has the input as a plain value."""
IMAGE_LOADERS = ("LoadImage", "LoadImageMask", "LoadImageOutput")
Graph = dict[str, dict[str, Any]]


def load_workflow(path: Path) -> Graph:
    """The graph of an API-format file: ``{node id: {"class_type", "inputs", "_meta"?}}``."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"the workflow '{path}' cannot be read: {error}") from error
    return checked(data, str(path))


def checked(data: Any, name: str) -> Graph:
    """``data`` as a graph, or BadInputError that says what it is instead."""
    if isinstance(data, dict) and "nodes" in data and "links" in data:
        raise BadInputError(
            f"'{name}' is a workflow of the editor; the driver needs the API format: Workflow > Export (API) in ComfyUI"
        )
    if isinstance(data, dict) and isinstance(data.get("prompt"), dict):
        data = data["prompt"]
    if not isinstance(data, dict) or not data:
        raise BadInputError(f"'{name}' is not a workflow in API format (an object of nodes)")
    for node, value in data.items():
        if not isinstance(value, dict) or not isinstance(value.get("class_type"), str):
            raise BadInputError(f"'{name}': node '{node}' has no class_type; it is not a workflow in API format")
    return {str(node): {**value, "inputs": dict(value.get("inputs") or {})} for node, value in data.items()}


def title(node: Mapping[str, Any]) -> str:
    """The node's title in the editor, or its class."""
    return str((node.get("_meta") or {}).get("title") or node["class_type"])


def _order(node_id: str) -> tuple[int, Any]:
    return (0, int(node_id)) if node_id.isdigit() else (1, node_id)


def image_inputs(graph: Graph) -> list[str]:
    """Ids of the nodes that load a picture, in the order of their ids."""
    return sorted((i for i, node in graph.items() if node["class_type"] in IMAGE_LOADERS), key=_order)


def assign_images(graph: Graph, views: Mapping[str, str]) -> Graph:
    """A copy of the graph whose loader nodes read the given server-side names.

    views: view name -> uploaded name, in order. One picture goes to the first loader. Several go by title: the loader
    whose title holds the view's word; where no title names any view, in the order of the ids. Raises BadInputError when
    pictures and loaders do not fit each other.
    """
    loaders = image_inputs(graph)
    if not loaders:
        raise BadInputError("the workflow has no Load Image node: there is nowhere to put the picture")
    chosen = _by_title(graph, loaders, list(views)) or _by_order(loaders, list(views))
    out = copy.deepcopy(graph)
    for view, node in chosen.items():
        out[node]["inputs"]["image"] = views[view]
    return out


def _by_title(graph: Graph, loaders: Sequence[str], views: Sequence[str]) -> dict[str, str]:
    words = {node: set(re.findall(r"[a-z]+", title(graph[node]).lower())) for node in loaders}
    named = {node: next((v for v in VIEW_NAMES if v in words[node]), None) for node in loaders}
    if not any(named.values()) or (len(views) == 1 and views[0] not in named.values()):
        return {}
    out = {}
    for view in views:
        takers = [node for node in loaders if named[node] == view]
        if len(takers) != 1:
            have = ", ".join(f"{title(graph[n])} ({n})" for n in loaders)
            raise BadInputError(f"no single Load Image node is titled for the view '{view}'; the workflow has: {have}")
        out[view] = takers[0]
    unfed = [title(graph[n]) for n in loaders if named[n] and named[n] not in views]
    if unfed:
        raise BadInputError(
            f"the workflow also needs a picture for {', '.join(unfed)}; the item has {', '.join(views)}"
        )
    return out


def _by_order(loaders: Sequence[str], views: Sequence[str]) -> dict[str, str]:
    if len(views) > len(loaders):
        raise BadInputError(f"the item has {len(views)} pictures but the workflow has {len(loaders)} Load Image nodes")
    return dict(zip(views, loaders, strict=False))


@dataclass(frozen=True)
class Override:
    """``NODE.input=VALUE``: node is an id or a title."""

    node: str
    input: str
    value: Any

    @classmethod
    def parse(cls, text: str) -> Override:
        """From the command line's ``NODE.input=VALUE``; the value is JSON where it parses, else text."""
        match = re.match(r"^(?P<node>.+?)\.(?P<input>[^.=]+(?:\.[^.=]+)*)=(?P<value>.*)$", text, re.S)
        if match is None:
            raise BadInputError(f"--set takes NODE.input=VALUE, for example 3.resolution=256; got '{text}'")
        try:
            value = json.loads(match["value"])
        except ValueError:
            value = match["value"]
        return cls(match["node"].strip(), match["input"].strip(), value)


def apply_overrides(graph: Graph, overrides: Sequence[Override]) -> Graph:
    """A copy with the values set; BadInputError names what does not exist."""
    out = copy.deepcopy(graph)
    for override in overrides:
        for node in _find(out, override):
            out[node]["inputs"][override.input] = override.value
    return out


def _find(graph: Graph, override: Override) -> list[str]:
    if override.node in graph:
        return [override.node]
    if override.node == EVERY_NODE:
        hits = [i for i, node in graph.items() if not isinstance(node["inputs"].get(override.input, []), list)]
        if not hits:
            raise BadInputError(f"no node of the workflow has a value '{override.input}' to set")
        return hits
    wanted = override.node.lower()
    hits = [i for i, node in graph.items() if wanted in (title(node).lower(), node["class_type"].lower())]
    if not hits:
        have = ", ".join(f"{i} ({title(node)})" for i, node in graph.items())
        raise BadInputError(f"--set: the workflow has no node '{override.node}'; it has {have}")
    return hits


def problems(graph: Graph, object_info: Mapping[str, Any]) -> list[str]:
    """What this server would refuse or run wrongly, in words; empty when the graph fits.

    Checks node classes, required inputs, links to nodes that are not there, and combo values (0.3.64 executes an
    unlisted one). ``object_info`` is the answer of ``GET /object_info``.
    """
    out = []
    for node_id, node in graph.items():
        name = f"node {node_id} ({title(node)})"
        info = object_info.get(node["class_type"])
        if info is None:
            out.append(f"{name}: this server has no node class '{node['class_type']}': install the pack that brings it")
            continue
        sections = info.get("input") or {}
        required, optional = sections.get("required") or {}, sections.get("optional") or {}
        out += [f"{name}: the required input '{i}' is not set" for i in required if not _given(node["inputs"], i)]
        for key, value in node["inputs"].items():
            trouble = _value_problem(key, value, {**required, **optional}.get(key), graph)
            if trouble:
                out.append(f"{name}: {trouble}")
    return out


def unknown_inputs(graph: Graph, overrides: Sequence[Override], object_info: Mapping[str, Any]) -> list[str]:
    """Overrides of inputs that the node does not have on this server (a slip of the pen would change nothing)."""
    out = []
    for override in overrides:
        for node_id in _find(graph, override):
            sections = (object_info.get(graph[node_id]["class_type"]) or {}).get("input") or {}
            known = [*(sections.get("required") or {}), *(sections.get("optional") or {})]
            if known and override.input.split(".")[0] not in known:
                name = f"node {node_id} ({title(graph[node_id])})"
                out.append(f"{name} has no input '{override.input}'; it has {', '.join(known)}")
    return out


def _given(inputs: Mapping[str, Any], name: str) -> bool:
    return name in inputs or any(key.startswith(f"{name}.") for key in inputs)


def _value_problem(key: str, value: Any, spec: Any, graph: Graph) -> str:
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int):
        return "" if value[0] in graph else f"'{key}' comes from node {value[0]}, which is not in the workflow"
    options = _options(spec)
    if options and value not in options and key != "image":
        shown = ", ".join(map(str, options[:8])) + (", ..." if len(options) > 8 else "")
        return f"'{key}' is '{value}'; choose one of {shown}"
    return ""


def _options(spec: Any) -> list[Any]:
    """The choices of a combo input in both notations (a list as type; ``COMBO`` with ``options``), else empty."""
    if not isinstance(spec, (list, tuple)) or not spec:
        return []
    if isinstance(spec[0], list):
        return spec[0]
    extra = spec[1] if len(spec) > 1 and isinstance(spec[1], Mapping) else {}
    options = extra.get("options") if spec[0] == "COMBO" else None
    return [o for o in options if not isinstance(o, Mapping)] if isinstance(options, list) else []
