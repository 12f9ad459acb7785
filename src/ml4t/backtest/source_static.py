"""What can be said about a strategy without importing it."""

import ast
from collections.abc import Iterable
from pathlib import Path

from ml4t.backtest.errors import StrategyError, nearest
from ml4t.backtest.source import no_module, split_name
from ml4t.backtest.source_file import find_file


def check_statically(name: str, folder: str | Path, parameters: Iterable[str] = ()) -> list[str]:
    """Return what could not be decided without importing; nothing of the user's is executed.

    - The module's file exists in `folder` and is valid Python.
    - It has a class of that name at the top level, with a base class.
    - Where that base is `Strategy` itself, every parameter is one of its annotated attributes.

    Raises: StrategyError.
    """
    module_name, class_name = split_name(name)
    file = find_file(module_name, folder)
    if file is None:
        missing = no_module(module_name, folder)
        return [f"{module_name} is not in {folder}: whether it is installed is not checked. ({missing})"]
    classes = {node.name: node for node in _tree(file).body if isinstance(node, ast.ClassDef)}
    if class_name not in classes:
        raise StrategyError(f"{file}: no class {class_name!r} at the top level.{nearest(class_name, classes)}")
    found = classes[class_name]
    if not found.bases:
        raise StrategyError(f"{file}:{found.lineno}: class {class_name} has no base class; derive it from Strategy.")
    bases = {ast.unparse(base).rpartition(".")[2] for base in found.bases}
    if bases != {"Strategy"}:
        return [f"{class_name} derives from {', '.join(sorted(bases))}: its parameters are not checked."]
    known = [
        node.target.id for node in found.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    for parameter in parameters:
        if parameter not in known:
            listed = ", ".join(known) or "none"
            raise StrategyError(
                f"{file}: {class_name} has no parameter {parameter!r}.{nearest(parameter, known)} It has: {listed}."
            )
    return []


def _tree(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        text = (error.text or "").strip()
        raise StrategyError(f"{file}:{error.lineno}: {error.msg}: {text}") from error
    except ValueError as error:
        raise StrategyError(f"{file} is not Python source: {error}.") from error
