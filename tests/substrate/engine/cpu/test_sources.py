"""Sources of kernels: whatever a source imports of ours, and what that imports; no library beside them."""

from substrate.engine.cpu.sources import find_sources

SOURCES = {
    "substrate/kernels/one.py": "from ..laws import first, second\nfrom numpy import sin\n"
    "from .two import (\n    f,\n)\n",
    "substrate/kernels/two.py": "import numpy\nfrom devices.deep.law import g\n",
    "substrate/laws/first.py": "from . import third\n",
    "substrate/laws/second.py": "",
    "substrate/laws/third.py": "",
    "substrate/laws/fourth.py": "from .first import f\n",
    "numpy.py": "",
    "devices/deep/law.py": "from ...substrate.laws.first import f\n",
}


def test_everything_that_is_imported_is_found(tmp_path):
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def found(*names):
        sources = find_sources([tmp_path / name for name in names], tmp_path)
        return [source.relative_to(tmp_path).as_posix() for source in sources]

    assert found("substrate/kernels/one.py") == sorted(SOURCES.keys() - {"substrate/laws/fourth.py", "numpy.py"})
    assert found("substrate/laws/fourth.py") == [f"substrate/laws/{name}.py" for name in ("first", "fourth", "third")]
    assert found("substrate/laws/second.py", "substrate/laws/second.py") == ["substrate/laws/second.py"]
