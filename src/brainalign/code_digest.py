"""Digests of the code that a job depends on, so that an edit reruns what it touches.

The digest of a module covers the module and every module of this package that it imports,
directly or not, at its top or inside a function. Comments and docstrings do not count: rewording
one changes no result.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

_PACKAGE = "brainalign"
# Reading options from the command line and writing errors change no number of a result; what a
# stage reads of its options is in its own module.
_NOT_FOLLOWED = frozenset({"brainalign.config", "brainalign.cli"})


def compute_code_digest(modules: Iterable[str]) -> str:
    """Compute one digest of modules and of all that they import from this package.

    Parameters
    ----------
    modules : iterable of str
        Full module names, such as ``brainalign.stimuli.command``.

    Returns
    -------
    digest : str
        Sixteen hexadecimal digits.

    Raises
    ------
    ModuleNotFoundError
        If a module does not exist.
    """
    lines = [
        f"{module} {_digest_module(module)}" for module in sorted(list_imported_modules(modules))
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def list_imported_modules(modules: Iterable[str]) -> set[str]:
    """List modules of this package that the given ones import, themselves included."""
    found: set[str] = set()
    pending = list(modules)
    while pending:
        module = pending.pop()
        if module in found:
            continue
        found.add(module)
        pending += _list_direct_imports(module) - found
    return found


@functools.cache
def _parse(module: str) -> ast.Module:
    return ast.parse(_find_file(module).read_text(encoding="utf-8"))


@functools.cache
def _find_file(module: str) -> Path:
    root = Path(__file__).parent
    path = root.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    raise ModuleNotFoundError(f"no module named {module}")


@functools.cache
def _is_module(module: str) -> bool:
    try:
        _find_file(module)
    except ModuleNotFoundError:
        return False
    return True


@functools.cache
def _list_direct_imports(module: str) -> frozenset[str]:
    imported: set[str] = set()
    for node in ast.walk(_parse(module)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = _resolve_origin(node, module)
            imported.add(origin)
            imported |= {f"{origin}.{alias.name}" for alias in node.names}
    return frozenset(
        name
        for name in imported
        if name.startswith(f"{_PACKAGE}.")
        and not any(name == part or name.startswith(f"{part}.") for part in _NOT_FOLLOWED)
        and _is_module(name)
    )


def _resolve_origin(node: ast.ImportFrom, module: str) -> str:
    """Name the module that `from … import` takes from, also where it is relative."""
    if node.level == 0:
        return node.module or ""
    parts = module.split(".")
    if _find_file(module).name != "__init__.py":
        parts.pop()
    parts = parts[: len(parts) - (node.level - 1)]
    return ".".join([*parts, *([node.module] if node.module else [])])


@functools.cache
def _digest_module(module: str) -> str:
    tree = ast.parse(_find_file(module).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _drop_docstring(node)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _drop_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> None:
    if ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:]
