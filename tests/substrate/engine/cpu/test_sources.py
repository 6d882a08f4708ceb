"""Sources of kernels: whatever a source imports of ours, and what that imports."""

from substrate.engine.cpu.sources import find_sources

SOURCES = {
    "ours/kernels/one.py": "from ..laws import first, second\nfrom numpy import sin\nfrom .two import (\n    f,\n)\n",
    "ours/kernels/two.py": "import numpy\nfrom theirs.deep.law import g\n",
    "ours/laws/first.py": "from . import third\n",
    "ours/laws/second.py": "",
    "ours/laws/third.py": "",
    "ours/laws/fourth.py": "from .first import f\n",
    "theirs/deep/law.py": "from ...ours.laws.first import f\n",
}


def test_everything_that_is_imported_is_found(tmp_path):
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def found(*names):
        sources = find_sources([tmp_path / name for name in names], tmp_path)
        return [source.relative_to(tmp_path).as_posix() for source in sources]

    assert found("ours/kernels/one.py") == [name for name in sorted(SOURCES) if "fourth" not in name]
    assert found("ours/laws/fourth.py") == [f"ours/laws/{name}.py" for name in ("first", "fourth", "third")]
    assert found("ours/laws/second.py", "ours/laws/second.py") == ["ours/laws/second.py"]
