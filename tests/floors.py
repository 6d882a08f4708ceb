"""Floors and arrows of the packages: ``python -m tests.floors [FOLDER]`` counts them in a checkout.

A file stands on the floor above the highest one of its package that it imports when it is loaded, so the floors are the
longest chain of imports. An arrow is a pair of folders of which one imports the other. A circle is a folder in which
things that lie side by side, files or folders, import each other.
"""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("devices", "substrate", "learning", "scenarios")

Graph = dict[Path, set[Path]]


def imports_of(path: Path, root: Path = ROOT, late: bool = True) -> set[Path]:
    """Return the sources below `root` that a source imports; what only type checkers see does not count.

    Parameters
    ----------
    path : Path
        The source, from `root`.
    root : Path
        The folder of the packages.
    late : bool
        Whether imports inside functions count.
    """
    found = set()
    for node in _imports(ast.parse((root / path).read_text(encoding="utf-8")), late):
        if isinstance(node, ast.ImportFrom):
            base = path.parents[node.level - 1] if node.level else Path()
            base = base.joinpath(*(node.module or "").split("."))
            found |= {base.with_suffix(".py"), *(base / f"{name.name}.py" for name in node.names)}
        else:
            found |= {Path(*name.name.split(".")).with_suffix(".py") for name in node.names}
    return {source for source in found if source.name != "__init__.py" and (root / source).is_file()}


def _imports(node: ast.AST, late: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        elif late or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _imports(child, late)


def files_of(package: str, root: Path = ROOT, late: bool = True) -> Graph:
    """Return the files of a package, initialisers left out, each with those of the same package that it imports."""
    paths = sorted(path.relative_to(root) for path in (root / package).rglob("*.py") if path.name != "__init__.py")
    return {path: {source for source in imports_of(path, root, late) if source.parts[0] == package} for path in paths}


def side_by_side(files: Graph, folder: Path) -> Graph:
    """Return what lies in a folder, files and folders alike, each with what it imports of the others."""
    depth = len(folder.parts)

    def child(path: Path) -> Path:
        return Path(*path.parts[: depth + 1])

    inside = {
        path: {s for s in sources if folder in s.parents} for path, sources in files.items() if folder in path.parents
    }
    found: Graph = {child(path): set() for path in inside}
    for path, sources in inside.items():
        found[child(path)] |= {child(source) for source in sources} - {child(path)}
    return found


def folders_of(files: Graph) -> list[Path]:
    """Return every folder that holds a file of a package, the package itself first."""
    return sorted({folder for path in files for folder in path.parents if folder.parts})


def cycle_of(graph: Graph) -> list[Path]:
    """Return things that import each other in a circle, the first one again at the end; empty if there are none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []


def floors_of(graph: Graph) -> int:
    """Return the length of the longest chain of a graph without cycles."""
    height: dict[Path, int] = {}
    for node in graphlib.TopologicalSorter(graph).static_order():
        height[node] = 1 + max((height[other] for other in graph.get(node, ())), default=0)
    return max(height.values(), default=0)


def arrows_of(files: Graph) -> set[tuple[Path, Path]]:
    """Return every pair of folders of which the first imports the second."""
    return {(a.parent, b.parent) for a, sources in files.items() for b in sources if a.parent != b.parent}


def main(root: Path) -> None:
    """Print a row per package."""
    print(f"{'package':<12}{'files':>7}{'floors':>8}{'folders':>9}{'most files':>12}{'arrows':>8}{'circles':>9}")
    for package in PACKAGES:
        files = files_of(package, root)
        folders = folders_of(files)
        most = max(sum(path.parent == folder for path in files) for folder in folders)
        circles = sum(bool(cycle_of(side_by_side(files, folder))) for folder in folders)
        floors = floors_of(files_of(package, root, late=False))
        print(
            f"{package:<12}{len(files):>7}{floors:>8}{len(folders):>9}{most:>12}{len(arrows_of(files)):>8}{circles:>9}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
