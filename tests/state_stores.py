"""Finds, in a file's syntax tree, every store into the arrays of the state.

What counts as the state: the name `state`, every attribute called `state`, results of `borrow(key)`, and parameters
named after a group of tables (`timers`, `orders`). Followed: local names, tuples, conditional expressions, loops over
tuples of groups, slices, and calls that only look at an array in another way (`memoryview`, `.view()`). A store is an
assignment, augmented or not, to an item or an attribute, `del`, an array method that writes, a NumPy function that
writes, `out=`, and `state._replace(...)`. A function that stores into a parameter of its own counts where it is
called.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import get_type_hints

from ml4t.backtest.tables import State

GROUPS = frozenset(State._fields)
KINDS = frozenset(kind.__name__ for kind in get_type_hints(State).values() if hasattr(kind, "__name__"))
LOOKS = {"memoryview", "asarray", "ascontiguousarray", "view", "reshape", "ravel"}
WRITING_METHODS = {"fill", "put", "sort", "partition", "resize", "itemset", "setflags", "setfield", "byteswap"}
WRITING_FUNCTIONS = {"copyto", "place", "put", "put_along_axis", "putmask", "setattr", "shuffle"}
Paths = frozenset[str]
NOTHING: Paths = frozenset()
ALL: Paths = frozenset([""])


@dataclass(frozen=True, order=True)
class Store:
    """One store: `target` is the path within the state ("orders.side", "clock.LIVE"), or "parameter:<n>"."""

    line: int
    function: str
    target: str


def stores(tree: ast.Module) -> list[Store]:
    """Every store into the state in this file, by line; those through its own functions' parameters, too."""
    return across([tree])[0]


def across(trees: Iterable[ast.Module]) -> list[list[Store]]:
    """The stores of each file; what a function stores into its parameter counts as its caller's, also across files."""
    files = list(trees)
    writers: dict[str, set[int]] = {}
    while True:
        found = [sorted(set(_stores(tree, writers))) for tree in files]
        now: dict[str, set[int]] = {}
        for store in (store for file in found for store in file if store.target.startswith("parameter:")):
            now.setdefault(store.function, set()).add(int(store.target.removeprefix("parameter:")))
        if now == writers:
            return [[store for store in file if not store.target.startswith("parameter:")] for file in found]
        writers = now


def _stores(tree: ast.Module, writers: dict[str, set[int]]) -> Iterator[Store]:
    yield from _Function("", writers).run(tree.body)


@dataclass
class _Function:
    """What the names of one function stand for, while its statements are read in order."""

    name: str
    writers: dict[str, set[int]]
    names: dict[str, Paths] = field(default_factory=dict)
    found: list[Store] = field(default_factory=list)

    def run(self, body: list[ast.stmt]) -> list[Store]:
        for _ in range(2):  # again for names that are bound later in a loop or by an inner function
            self.found.clear()
            for statement in body:
                self.visit(statement)
        return self.found

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            self.enter(node)
            return
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self.bind(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            self.bind(node.target, node.value)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            items = node.iter.elts if isinstance(node.iter, ast.Tuple | ast.List) else [node.iter]
            for item in items:
                self.bind(node.target, item)
        elif isinstance(node, ast.Call):
            self.call(node)
        for child in ast.iter_child_nodes(node):
            self.visit(child)
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            self.note(node, node.value, node.slice if isinstance(node, ast.Subscript) else None)

    def enter(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        arguments = [argument for argument in arguments if argument.arg not in ("self", "cls")]
        inner = _Function(getattr(node, "name", "<lambda>"), self.writers, dict(self.names))
        for position, argument in enumerate(arguments):
            kind = ast.unparse(argument.annotation) if argument.annotation else None
            named = argument.arg in GROUPS and (kind is None or kind in KINDS)
            inner.names[argument.arg] = frozenset(
                [""] if argument.arg == "state" else [argument.arg] if named else [f"parameter:{position}"]
            )
        body: list[ast.stmt] = node.body if isinstance(node.body, list) else [ast.Expr(node.body)]
        self.found += inner.run(body)

    def bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            parts = (
                value.elts if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts) else None
            )
            for i, part in enumerate(target.elts):
                self.bind(part, parts[i] if parts else value)
        elif isinstance(target, ast.Name):
            self.names[target.id] = self.names.get(target.id, NOTHING) | self.paths(value)

    def call(self, node: ast.Call) -> None:
        name = _called(node)
        if isinstance(node.func, ast.Attribute):
            if name in WRITING_METHODS:
                self.note(node, node.func.value, None)
            elif name == "_replace" and self.paths(node.func.value):
                for keyword in node.keywords:
                    self.add(node, keyword.arg or "*")
        if name in WRITING_FUNCTIONS and node.args and (isinstance(node.func, ast.Attribute) or name == "setattr"):
            self.note(node, node.args[0], None)
        for keyword in node.keywords:
            if keyword.arg == "out":
                self.note(node, keyword.value, None)
        for position in self.writers.get(name, ()):
            if position < len(node.args):
                self.note(node, node.args[position], None)

    def note(self, node: ast.expr, owner: ast.expr, item: ast.expr | None) -> None:
        for path in self.paths(owner):
            constant = item.id if isinstance(item, ast.Name) and item.id.isupper() else "*"
            self.add(node, f"{path}.{constant}" if path in ("clock", "rules", "money") else path or "*")

    def add(self, node: ast.expr, target: str) -> None:
        self.found.append(Store(node.lineno, self.name, target))

    def paths(self, node: ast.expr) -> Paths:
        """What the expression may stand for: paths within the state ("" is all of it), or parameters."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, NOTHING) | (ALL if node.id == "state" else NOTHING)
        if isinstance(node, ast.Attribute):
            inner = self.paths(node.value)
            if node.attr == "state" and not any(path in GROUPS for path in inner):
                return ALL  # a handle's; a group's is a column
            return frozenset(_member(path, node.attr) for path in inner)
        if isinstance(node, ast.Subscript | ast.Starred):
            return self.paths(node.value)
        if isinstance(node, ast.IfExp):
            return self.paths(node.body) | self.paths(node.orelse)
        if isinstance(node, ast.Tuple | ast.List):
            return frozenset().union(*map(self.paths, node.elts))
        if isinstance(node, ast.NamedExpr):
            return self.paths(node.value)
        if isinstance(node, ast.Call):
            name = _called(node)
            if name == "borrow":
                return ALL
            if name == "getattr" and node.args:
                return frozenset("*" for _ in self.paths(node.args[0]))
            if name in LOOKS:
                return self.paths(node.args[0]) if node.args else self.paths(node.func)
        return NOTHING


def _member(path: str, name: str) -> str:
    """The path of an attribute. A name that no group has (a method such as `view`, a field's field) leaves the path."""
    if path.startswith("parameter:") or path == "*":
        return path
    if not path:
        return name if name in GROUPS else "*"
    hint = State.__annotations__.get(path)
    return f"{path}.{name}" if name in getattr(hint, "_fields", ()) else path


def _called(node: ast.Call) -> str:
    return (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )
