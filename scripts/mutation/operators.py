"""Every small change that can be made to a module, as edits of its syntax tree.

Left alone is what only people and type checkers read: docstrings, annotations and type aliases, the texts of
exceptions, `__repr__`, the arguments of `@dataclass`, imports and `if TYPE_CHECKING`.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitAnd,
}
_TWINS = {
    "all": "any",
    "endswith": "startswith",
    "lower": "upper",
    "max": "min",
    "rpartition": "partition",
    "rstrip": "lstrip",
}
_SWAPS = _TWINS | {twin: name for name, twin in _TWINS.items()}
_TYPING = frozenset({"Annotated", "Callable", "Generator", "Literal", "NewType", "ParamSpec", "TypeVar"})
_SHOWN = 90
"""Characters of code that tell a mutant apart, at most where possible."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands: what surrounds it, and what of the program must be made anew when it changes."""

    scope: str = "<module>"
    function: tuple[str, int] | None = None
    """Qualified name and first line of the outermost function; None where the module must be imported anew."""
    lines: tuple[int, int] = (0, 0)
    """The first and the last line of the statement."""
    raising: bool = False
    """What stands here becomes the text of an exception."""
    parents: tuple[ast.AST, ...] = ()
    """What the node is part of, outermost first."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Put another node in the place of one."""

    parent: ast.AST
    name: str
    index: int | None
    node: ast.AST

    def apply(self) -> Edit:
        """Change the tree, and return the edit that changes it back."""
        value = getattr(self.parent, self.name)
        if self.index is None:
            setattr(self.parent, self.name, self.node)
            return replace(self, node=value)
        before, value[self.index] = value[self.index], self.node
        return replace(self, node=before)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small change to one module."""

    path: Path
    tree: ast.Module
    edit: Edit
    place: Place
    was: str
    now: str
    nth: int
    """Which of several places in one scope where this code becomes that code, from 0."""

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What tells it apart in every run, wherever in its scope it has moved to."""
        return self.path.as_posix(), self.place.scope, self.was, self.now, self.nth


def find_mutants(path: Path) -> list[Mutant]:
    """Find every mutant of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    counter: Counter[tuple[str, str, str]] = Counter()
    found: list[Mutant] = []
    for edit, place in _edits(tree, Place()):
        was, now = _describe(edit, place)
        nth = counter[place.scope, was, now]
        counter[place.scope, was, now] += 1
        found.append(Mutant(path, tree, edit, place, was, now, nth))
    return found


def _describe(edit: Edit, place: Place) -> tuple[str, str]:
    """Return the smallest code around the edit that says something, before and after it."""
    undo = edit.apply()
    before, after = undo.node, edit.node
    undo.apply()
    shown, was, now = before, ast.unparse(before), ast.unparse(after)
    for parent in reversed(place.parents):
        if isinstance(parent, ast.keyword | ast.comprehension):
            continue
        if not isinstance(parent, ast.expr | ast.stmt) or hasattr(parent, "body") or len(ast.unparse(parent)) > _SHOWN:
            break
        shown, was = parent, ast.unparse(parent)
    if shown is not before:
        edit.apply()
        now = ast.unparse(shown)
        undo.apply()
    return was.partition("\n")[0], now.partition("\n")[0]


def _edits(node: ast.AST, place: Place) -> Iterator[tuple[Edit, Place]]:
    outside = replace(place, parents=(*place.parents, node))
    inside = outside
    if place.function is None and isinstance(node, ast.ClassDef | ast.FunctionDef):
        scope = node.name if place.scope == "<module>" else f"{place.scope}.{node.name}"
        outside = inside = replace(outside, scope=scope)
        if isinstance(node, ast.FunctionDef):
            first = min(node.lineno, *(decorator.lineno for decorator in node.decorator_list), node.lineno)
            inside = replace(outside, function=(scope, first))
    for name, index, child in _children(node):
        if not _is_left_alone(node, name, index, child):
            here = _narrowed(child, inside if name == "body" else outside)
            for new in _mutations(child, node, here):
                yield Edit(node, name, index, ast.fix_missing_locations(ast.copy_location(new, child))), here
            yield from _edits(child, here)


def _children(node: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            yield name, None, value
        elif isinstance(value, list):
            yield from ((name, index, child) for index, child in enumerate(value) if isinstance(child, ast.AST))


def _narrowed(node: ast.AST, place: Place) -> Place:
    if not isinstance(node, ast.stmt | ast.ExceptHandler | ast.pattern):
        return place
    body: list[ast.stmt] = getattr(node, "body", [])
    last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
    return replace(place, lines=(node.lineno, last), raising=place.raising or _makes_text(node))


def _makes_text(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id == "message"
    return isinstance(node, ast.Raise)


def _name(node: ast.AST | None) -> str:
    """Return the last name of what is called, subscripted or referred to."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return _name(inner)
        case _:
            return ""


def _is_left_alone(parent: ast.AST, name: str, index: int | None, node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()) | ast.FunctionDef(name="__repr__"):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[target], value=value) if isinstance(parent, ast.Module):
            return _name(target) == "__all__" or _is_type(value)
        case _:
            pass
    is_cast = name == "args" and index == 0 and _name(parent) == "cast"
    return name in {"annotation", "returns"} or is_cast or (name == "decorator_list" and _name(node) == "dataclass")


def _is_type(value: ast.expr) -> bool:
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.BitOr)
    return isinstance(value, ast.Subscript | ast.Call) and _name(value) in _TYPING


def _mutations(node: ast.AST, parent: ast.AST, place: Place) -> Iterator[ast.AST]:
    mutate = _OPERATORS.get(type(node))
    if mutate is not None:
        yield from mutate(node, parent, place)
    if isinstance(parent, ast.If | ast.IfExp | ast.While | ast.comprehension | ast.match_case) and (
        node is getattr(parent, "test", None)
        or node is getattr(parent, "guard", None)
        or node in getattr(parent, "ifs", ())
    ):
        yield from _negated(node)


def _negated(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.expr) and not isinstance(node, ast.Compare | ast.UnaryOp | ast.Constant):
        yield ast.UnaryOp(ast.Not(), node)


def _compare(node: ast.Compare, _parent: ast.AST, _place: Place) -> Iterator[ast.AST]:
    for index, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            yield ast.Compare(node.left, [*node.ops[:index], other(), *node.ops[index + 1 :]], node.comparators)


def _boolean(node: ast.BoolOp, _parent: ast.AST, _place: Place) -> Iterator[ast.AST]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    for index in range(len(node.values)):
        rest = [*node.values[:index], *node.values[index + 1 :]]
        yield ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0]


def _unary(node: ast.UnaryOp, _parent: ast.AST, _place: Place) -> Iterator[ast.AST]:
    yield node.operand


def _binary(node: ast.BinOp, _parent: ast.AST, place: Place) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.BitOr):  # a union, of flags, of sets or of types: each part of it counts
        yield from (node.left, node.right)
    elif not place.raising:
        yield ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)


def _augmented(node: ast.AugAssign, _parent: ast.AST, _place: Place) -> Iterator[ast.AST]:
    yield ast.Pass()
    other = _ARITHMETIC.get(type(node.op))
    if other is not None:
        yield ast.AugAssign(node.target, other(), node.value)


def _constant(node: ast.Constant, parent: ast.AST, place: Place) -> Iterator[ast.AST]:
    match node.value:
        case bool():
            yield ast.Constant(not node.value)
        case int() | float():
            yield ast.Constant(node.value + 1)
        case str():
            if not (place.raising and (" " in node.value or isinstance(parent, ast.JoinedStr))):
                yield ast.Constant(f"XX{node.value}XX")
        case bytes():
            yield ast.Constant(b"XX" + node.value + b"XX")
        case None if isinstance(parent, ast.Return | ast.Assign | ast.AnnAssign | ast.Call):
            yield ast.Constant(1)
        case _:
            pass


def _call(node: ast.Call, _parent: ast.AST, place: Place) -> Iterator[ast.AST]:
    other = _SWAPS.get(_name(node.func))
    if other is not None:
        function = ast.Attribute(node.func.value, other, ast.Load()) if isinstance(node.func, ast.Attribute) else None
        yield ast.Call(function or ast.Name(other, ast.Load()), node.args, node.keywords)
    if place.raising or _name(node.func) in {"isinstance", "cast"}:
        return
    for index, argument in enumerate(node.args):
        if not isinstance(argument, ast.Constant | ast.Starred | ast.GeneratorExp):
            args = [*node.args[:index], ast.Constant(None), *node.args[index + 1 :]]
            yield ast.Call(node.func, args, node.keywords)
    for index in range(len(node.keywords)):
        yield ast.Call(node.func, node.args, [*node.keywords[:index], *node.keywords[index + 1 :]])


def _slice(node: ast.Slice, _parent: ast.AST, _place: Place) -> Iterator[ast.AST]:
    for part in ("lower", "upper", "step"):
        if getattr(node, part) is not None:
            kept = {name: getattr(node, name) for name in ("lower", "upper", "step") if name != part}
            yield ast.Slice(**kept)


def _lambda(node: ast.Lambda, _parent: ast.AST, _place: Place) -> Iterator[ast.AST]:
    if not isinstance(node.body, ast.Constant):
        yield ast.Lambda(node.args, ast.Constant(None))


def _return(node: ast.Return, _parent: ast.AST, _place: Place) -> Iterator[ast.AST]:
    if node.value is None:
        yield ast.Pass()
    elif not isinstance(node.value, ast.Constant):
        yield ast.Return(ast.Constant(None))


def _assign(node: ast.Assign | ast.AnnAssign, _parent: ast.AST, place: Place) -> Iterator[ast.AST]:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if isinstance(target, ast.Attribute | ast.Subscript):
        yield ast.Pass()
    elif isinstance(target, ast.Name) and place.function is not None and _is_computed(node.value):
        yield ast.Assign([target], ast.Constant(None))


def _is_computed(value: ast.expr | None) -> bool:
    return value is not None and not isinstance(value, ast.Constant)


def _removed(_node: ast.stmt, _parent: ast.AST, _place: Place) -> Iterator[ast.AST]:
    yield ast.Pass()


def _break(_node: ast.Break, _parent: ast.AST, _place: Place) -> Iterator[ast.AST]:
    yield ast.Continue()


def _continue(_node: ast.Continue, _parent: ast.AST, _place: Place) -> Iterator[ast.AST]:
    yield ast.Break()


def _handler(node: ast.ExceptHandler, _parent: ast.AST, _place: Place) -> Iterator[ast.AST]:
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    for index in range(len(caught)):
        rest = [kept for kept in (*caught[:index], *caught[index + 1 :]) if kept is not None]
        yield ast.ExceptHandler(ast.Tuple(rest, ast.Load()), node.name, node.body)


_OPERATORS: dict[type[ast.AST], Callable[[Any, ast.AST, Place], Iterator[ast.AST]]] = {
    ast.AnnAssign: _assign,
    ast.Assign: _assign,
    ast.AugAssign: _augmented,
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.Break: _break,
    ast.Call: _call,
    ast.Compare: _compare,
    ast.Constant: _constant,
    ast.Continue: _continue,
    ast.Delete: _removed,
    ast.ExceptHandler: _handler,
    ast.Expr: _removed,
    ast.Lambda: _lambda,
    ast.Raise: _removed,
    ast.Return: _return,
    ast.Slice: _slice,
    ast.UnaryOp: _unary,
}
