"""Files of measurements: what they may look like, and what is said of those that cannot be read."""

import h5py
import numpy as np
import pytest

import nudgelab

from .planted import save

TARGET = np.linspace(-1.0, 1.0, 40)
MEASURED = TARGET + 0.01 * np.sin(np.arange(40.0) ** 2)
PAIRS = list(zip(TARGET, MEASURED, strict=True))


def plain(folder):
    return text(folder / "plain.csv", ["target,measured"], [f"{t:.9g},{m:.9g}" for t, m in PAIRS])


def spread_of(path):
    return nudgelab.fit(path, "weights").values["realised.absolute"].value


def text(path, header, rows):
    path.write_text("\n".join([*header, *rows]))
    return path


def test_text_npz_and_hdf5_files_say_the_same(tmp_path):
    rows = [f"{t:.9g},{m:.9g}" for t, m in zip(TARGET, MEASURED, strict=True)]
    wanted = spread_of(save(tmp_path / "w.npz", target=TARGET, measured=MEASURED))
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["target"], file["measured"] = TARGET, MEASURED
    swapped = [",".join(reversed(row.split(","))) for row in rows]
    files = [
        tmp_path / "w.h5",
        text(tmp_path / "plain.csv", [], rows),
        text(tmp_path / "named.csv", ["# cells of a test chip", "target,measured"], rows),
        text(tmp_path / "other.csv", ["realised,programmed weight"], swapped),
    ]
    for path in files:
        assert spread_of(path) == pytest.approx(wanted, rel=1e-5)


def test_devices_of_several_files_are_told_apart(tmp_path):
    v = np.linspace(-1.0, 1.0, 11)
    paths = [save(tmp_path / f"{k}.npz", voltage=v, current=g * v) for k, g in enumerate([1.0, 1.1, 0.9])]
    assert "3 devices" in repr(nudgelab.fit(paths, "iv"))
    other = save(tmp_path / "o.npz", voltage=v, current=v, device=np.zeros(11))
    with pytest.raises(nudgelab.FitError, match=r"o\.npz has voltage, current, device, but 0\.npz"):
        nudgelab.fit([paths[0], other], "iv")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.csv", None, "no file"),
        ("empty.csv", "", "not a text file of numbers"),
        ("words.csv", "target,measured\nlow,high\n", "holds no numbers"),
        (
            "hole.csv",
            "target,measured\n1,2\n3,\n4,5\n",
            "line 3 of hole.csv has ",
        ),
        ("lacks.csv", "target,held\n" + "1,2\n" * 9, "lacks.csv: has no column 'measured', but target, held"),
        ("three.csv", "1,2,3\n" * 9, "three.csv: has no line of names, and 3 columns"),
        ("few.csv", "target,measured\n1,2\n", "few.csv has 1 numbers of 'target'; give 8 or more"),
        ("unit.csv", "target (mV),measured (mV)\n" + "1,2\n" * 9, "column 'target' is in 'mV'; give it in S"),
        ("nan.csv", "target,measured\n" + "1,nan\n" * 9, "number 1 of 'measured' is nan"),
    ],
)
def test_a_text_file_that_cannot_be_read_is_told_by_name_and_place(tmp_path, name, content, words):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(nudgelab.FitError, match=words):
        nudgelab.fit(path, "weights")


def test_archives_that_do_not_fit_are_told(tmp_path):
    path = tmp_path / "w.npz"
    for arrays, words in (
        ({"target": TARGET}, "w.npz: has no array 'measured', but target \\(40,\\)"),
        ({"target": TARGET, "measured": MEASURED[:7]}, "arrays of the shapes target \\(40,\\), measured \\(7,\\)"),
        ({"target": np.ones((2, 3, 4)), "measured": np.ones((2, 3, 4))}, "give all of one shape"),
    ):
        save(path, **arrays)
        with pytest.raises(nudgelab.FitError, match=words):
            nudgelab.fit(path, "weights")
    (tmp_path / "bad.h5").write_bytes(b"\x89HDF\r\n\x1a\nrubbish")
    with pytest.raises(nudgelab.FitError, match=r"bad\.h5 cannot be read as an HDF5 file"):
        nudgelab.fit(tmp_path / "bad.h5", "weights")


def test_options_that_do_not_belong_are_refused(tmp_path):
    path = save(tmp_path / "w.npz", target=TARGET, measured=MEASURED)
    for kind, options, words in (
        ("weigths", {}, "must be one of pulses, reads"),
        ("weights", {"bits": 3}, "bits belong to a converter"),
        ("iv", {"weight": 1.0}, "leave them out"),
        ("weights", {"weight": "3 V"}, "must be a conductance"),
        ("weights", {"weight": -1.0}, "must be above 0"),
        ("weights", {"zero": 1.0}, "zero is given; say what a weight of 1 is"),
    ):
        with pytest.raises(nudgelab.FitError, match=words):
            nudgelab.fit(path, kind, **options)
    with pytest.raises(nudgelab.FitError, match="no file"):
        nudgelab.fit([], "weights")


def test_words_stand_beside_numbers_where_no_number_is_wanted(tmp_path):
    """Names of devices, remarks with holes and headers of a laboratory; decimal commas."""
    header = ["Wafer;Target weight;Realised weight;Remark"]
    rows = [f"W7;{t:.9g};{m:.9g};{'drift' * (k % 3)}".replace(".", ",") for k, (t, m) in enumerate(PAIRS)]
    found = nudgelab.fit(text(tmp_path / "lab.csv", header, rows), "weights")
    assert found.values["realised.absolute"].value == pytest.approx(spread_of(plain(tmp_path)), rel=1e-5)
    assert found.notes[-1] == (
        "columns: target is 'target weight', measured is 'realised weight'; columns not used: 'wafer', 'remark'"
    )
    holed = text(tmp_path / "hole.csv", header, [*rows[:20], "W7;low;0,1;", *rows[20:]])
    with pytest.raises(nudgelab.FitError, match=r"line 22 of hole\.csv has 'low' where a number is wanted"):
        nudgelab.fit(holed, "weights")


def test_devices_have_names_and_currents_units(tmp_path):
    rows = [f"D{k:02d},{v:g},{g * v:.6g}" for k, g in enumerate((19.0, 20.0, 21.0)) for v in np.linspace(-1, 1, 11)]
    for current in ("Current (uA)", "current_uA", "I/µA current"):
        path = text(tmp_path / "iv.csv", [f"Device,Voltage (V),{current}"], rows)
        if current.startswith("I"):  # no unit that anybody could tell: as it is
            assert nudgelab.fit(path, "iv").values["iv.conductance"].value == pytest.approx(20.0)
            continue
        found = nudgelab.fit(path, "iv")
        assert found.values["iv.conductance"].value == pytest.approx(2e-5)
        assert "3 devices" in repr(found)


def test_a_column_is_taken_by_its_whole_name_before_a_part_of_one(tmp_path):
    rows = [f"{9 * t:.9g},{t:.9g},{m:.9g}" for t, m in PAIRS]
    path = text(tmp_path / "near.csv", ["set reading of the bench,programmed,actual"], rows)
    assert spread_of(path) == pytest.approx(spread_of(plain(tmp_path)), rel=1e-5)
