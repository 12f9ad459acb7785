"""The files a module is made of: found by name, followed through its imports, hashed. Nothing is executed."""

import ast
import hashlib
import os
import sysconfig
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def find_file(module_name: str, folder: str | Path) -> Path | None:
    """Return the file of a module that lives in `folder`, or None."""
    stem = os.path.join(folder, *module_name.split("."))  # noqa: PTH118  asked for every import of every run: paths as text are quick
    for name in (os.path.join(stem, "__init__.py"), f"{stem}.py"):  # noqa: PTH118
        if os.path.isfile(name):  # noqa: PTH113
            path = Path(name).resolve()
            if path.is_relative_to(Path(folder).resolve()):
                return path
    return None


def source_hashes(file: str | Path, folder: str | Path) -> dict[str, str]:
    """Return the SHA-256 of `file` and of all modules in `folder` it imports, directly or not, by relative path.

    Imports are read from the syntax tree: one by a computed name is not seen. The packages around `file` count too.
    """
    file, folder = Path(file).resolve(), Path(folder).resolve()
    hashes: dict[str, str] = {}
    waiting = [file, *_modules(file.parent.relative_to(folder).parts, folder)]
    while waiting:
        path = waiting.pop()
        key = path.relative_to(folder).as_posix()
        if key in hashes:
            continue
        content = path.read_bytes()
        hashes[key] = hashlib.sha256(content).hexdigest()
        if not is_library(file, folder):
            waiting += _imported_files(content, path, folder)
    return dict(sorted(hashes.items()))


def package_digest() -> str:
    """Return the SHA-256 of this package's own sources, which a version number alone does not pin down."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _imported_files(content: bytes, path: Path, folder: Path) -> Iterator[Path]:
    for name in _imported_names(content, path.parent.relative_to(folder).parts):
        yield from _modules(tuple(name.split(".")), folder)


@lru_cache(maxsize=256)  # every run asks again, and parsing is slow
def _imported_names(content: bytes, package: tuple[str, ...]) -> tuple[str, ...]:
    """The dotted names that a module of this package imports, as far as they are written out."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return ()  # importing it will say so, with the line
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            stem = [*above, *filter(None, [node.module])]
            names += [".".join([*stem, alias.name]) for alias in node.names]
    return tuple(names)


def _modules(parts: tuple[str, ...], folder: Path) -> Iterator[Path]:
    """Files of `a`, `a.b` and `a.b.c`, as far as they are modules in `folder`."""
    for end in range(1, len(parts) + 1):
        if found := find_file(".".join(parts[:end]), folder):
            yield found


@cache
def installed_folders() -> frozenset[Path]:
    """Where installed modules live."""
    return frozenset(Path(sysconfig.get_path(key)).resolve() for key in ("purelib", "platlib", "stdlib"))


def is_library(file: Path, folder: Path) -> bool:
    """Return whether the modules next to `file` are installed, or this engine: their versions are recorded instead."""
    return folder in installed_folders() or PACKAGE in file.parents
