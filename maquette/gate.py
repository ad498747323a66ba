"""The quality gate: refuse a mesh by an expression over its report, such as ``watertight and faces <= 50000``.

A shared room of its own, without numpy, because the batch driver gates finished files on machines without libraries.
The expression is read as a tree of a few allowed kinds of node, never run as code.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from .errors import BadInputError, GateError

if TYPE_CHECKING:
    from .data import MeshReport

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt,
    ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip
_ALLOWED = (
    ast.Constant, ast.Name, ast.Load, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp,
    ast.Compare, *_COMPARE, *_ARITHMETIC,
)  # fmt: skip
REPORT_FIELDS = (
    "vertices", "faces", "components", "boundary_edges", "non_manifold_edges", "degenerate_faces", "duplicate_faces",
    "watertight", "winding_consistent", "outward", "manifold", "euler", "genus", "volume", "area",
    "self_intersections", "sampled_faces", "certified",
)  # fmt: skip
"""What of a MeshReport a gate can name. Listed, for the batch driver has no MeshReport; a test compares the two."""
CLEAN_FIELDS = (
    "vertices_before", "faces_before", "out_of_range_faces", "non_finite_faces", "welded", "slivers", "turned_faces",
    "split_vertices", "floaters", "floater_faces", "floater_sheets", "floater_sheet_area", "inner_faces", "holes",
    "hole_faces", "open_sheets", "united_parts", "cavities", "parts", "solid", "solid_cell",
    "distance_mean", "distance_p99", "distance_max",
)  # fmt: skip
"""What ``clean`` adds. Some are there only when their step was asked for: one that is not has no value."""
_LONGEST = 2000
_WORDS = {"true": True, "false": False, "none": None}


def gate(report: MeshReport | Mapping[str, Any], expression: str) -> None:
    """Raise GateError unless ``expression`` holds for the report; BadInputError when it cannot be understood.

    Allowed: names of report fields, numbers, true and false, comparisons (also chained), and, or, not, + - * / // % and
    brackets. A field that is None (the genus of an open surface) makes a comparison fail rather than raise.
    """
    given = dict(report) if isinstance(report, Mapping) else report.as_dict()
    fields = {name: value for name, value in given.items() if isinstance(value, bool | int | float | type(None))}
    tree = _parsed(expression, fields)
    if not _value(tree, fields, expression):
        used = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in fields})
        got = ", ".join(f"{name} = {_shown(fields[name])}" for name in used)
        if "certified" in used and given.get("reasons"):
            got += ": " + "; ".join(map(str, given["reasons"]))
        raise GateError(f"the mesh does not pass the gate '{expression}' ({got or 'it names no field'})")


def check_form(expression: str, more: Collection[str] = ()) -> None:
    """Raise BadInputError when no report could be judged by this: it is no expression, or names no field of a report.

    To be asked before the work starts. more: fields that the report has beside those of a certificate.
    """
    fields = dict.fromkeys((*REPORT_FIELDS, *more))
    for node in ast.walk(_parsed(expression, fields)):
        if isinstance(node, ast.Name):
            _looked_up(node.id, fields, expression)
        elif not isinstance(node, _ALLOWED) or isinstance(getattr(node, "value", 0), str | bytes):
            raise _forbidden(node, expression, fields)


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _parsed(expression: str, fields: Mapping[str, Any]) -> ast.expr:
    """The expression's tree, or BadInputError that lists the fields."""
    if not expression.strip() or len(expression) > _LONGEST:
        raise BadInputError(f"the gate is empty or longer than {_LONGEST} characters; {_help(fields)}")
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise BadInputError(f"the gate '{expression}' is not an expression ({error}); {_help(fields)}") from error


def _help(fields: Mapping[str, Any]) -> str:
    return f"write e.g. 'watertight and components == 1 and faces <= 50000' with the fields {', '.join(sorted(fields))}"


def _value(node: ast.expr, fields: Mapping[str, Any], text: str) -> Any:
    """The value of one allowed node."""
    match node:
        case ast.Constant(value=bool() | int() | float() as value):
            return value
        case ast.Name(id=name):
            return _looked_up(name, fields, text)
        case ast.BoolOp(op=op, values=values):
            found = (bool(_value(v, fields, text)) for v in values)
            return all(found) if isinstance(op, ast.And) else any(found)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return not _value(inner, fields, text)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_number(_value(inner, fields, text), text, fields)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _computed(op, _value(left, fields, text), _value(right, fields, text), text, fields)
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARE for op in ops):
            values = [_value(v, fields, text) for v in (left, *others)]
            return all(_compared(op, a, b) for op, a, b in zip(ops, values[:-1], values[1:], strict=True))
    raise _forbidden(node, text, fields)


def _forbidden(node: ast.AST, text: str, fields: Mapping[str, Any]) -> BadInputError:
    return BadInputError(f"the gate '{text}' uses {type(node).__name__}, which a gate may not; {_help(fields)}")


def _looked_up(name: str, fields: Mapping[str, Any], text: str) -> Any:
    if name in fields:
        return fields[name]
    if name.lower() in _WORDS:
        return _WORDS[name.lower()]
    raise BadInputError(f"the gate '{text}' names '{name}', which the report does not have; {_help(fields)}")


def _number(value: Any, text: str, fields: Mapping[str, Any]) -> Any:
    if value is None:
        raise BadInputError(f"the gate '{text}' computes with a field that has no value here; {_help(fields)}")
    return value


def _computed(op: ast.operator, left: Any, right: Any, text: str, fields: Mapping[str, Any]) -> Any:
    try:
        return _ARITHMETIC[type(op)](_number(left, text, fields), _number(right, text, fields))
    except ArithmeticError as error:
        raise BadInputError(f"the gate '{text}' cannot be computed: {error}") from error


def _compared(op: ast.cmpop, left: Any, right: Any) -> bool:
    """A comparison; with None only == and != have a meaning, everything else fails."""
    if (left is None or right is None) and not isinstance(op, ast.Eq | ast.NotEq):
        return False
    return bool(_COMPARE[type(op)](left, right))
