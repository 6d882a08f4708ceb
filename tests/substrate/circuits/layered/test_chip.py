"""Layered circuits obey the laws of circuits, whatever they are made of."""

import json
from pathlib import Path

import numpy as np
import pytest

from substrate.circuits.layered.chip import LayeredChip
from substrate.circuits.layered.design import LayeredDesign
from substrate.protocol import Budget, Nudge, Status, Wave
from tests.substrate.circuits.layered.circuits import (
    DEEP,
    HIDDEN,
    assemble,
    draw_batch,
    drop_contrast,
    join,
    list_elements,
    make_chip,
    measure_energy,
    solve,
)

KINDS = [
    {"layers": layers, "rails": rails, "nudge": nudge}
    for layers in (HIDDEN, DEEP, {"in": 3, "out": 2}, {"in": 2, "h1": 3, "h2": 3, "h3": 2, "out": 2})
    for rails in ("both", "single")
    for nudge in ("continuous", "held")
]
BETA = 2e-6


def contrast(chip, after, before, share):
    return {name: share * block for name, block in chip.contrast(after, before).items()}


def imprint(chip, after, before, share):
    chip.imprint(after, before, dict.fromkeys(chip.design.blocks, share))


def settle_phases(chip, beta=BETA, **keys):
    """Return the reads of the free state and of both nudged ones."""
    x, y = draw_batch(chip, **keys)
    chip.set_input(x)
    found = []
    for nudge in (None, Nudge(beta, y), Nudge(-beta, y)):
        result = chip.settle(nudge, "zero" if nudge is None else "free")
        assert np.all(result.status == Status.SETTLED)
        found.append(chip.read())
    return x, y, *found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("diodes", [True, False])
def test_voltages_are_those_of_a_dense_solution(kind, diodes):
    chip = make_chip(**kind, **({} if diodes else {"diodes": ()}))
    x, y, *reads = settle_phases(chip)
    outputs = list(chip.layers)[-1]
    for beta, read in zip((0.0, BETA, -BETA), reads, strict=True):
        for k in range(len(x)):
            follows = chip.design.nudge == "continuous"
            pull = beta * (y[k] - (0.0 if follows else reads[0][outputs][k]))
            expected = solve(chip, x[k], beta if follows else 0.0, pull)
            np.testing.assert_allclose(join(read)[k], expected, rtol=0.0, atol=1e-12)
    assert not diodes or not chip.design.diodes or 0.1 < chip.clamped_share.mean() < 0.9


def test_diodes_hold_the_first_half_above_and_the_second_below_ground():
    chip = make_chip()
    chip.set_input(draw_batch(chip, 50)[0])
    chip.settle()
    hidden = chip.read()["h1"]
    assert hidden[:, :3].min() == 0.0 == hidden[:, 3:].max()
    assert hidden[:, :3].max() > 0.0 > hidden[:, 3:].min()
    np.testing.assert_array_equal(chip.clamped_share, (hidden == 0.0).mean(axis=1))


@pytest.mark.parametrize("layers", [HIDDEN, DEEP])
@pytest.mark.parametrize("beta", [None, 1e-5])
def test_energy_falls_with_every_half_sweep(layers, beta):
    energies, half = [], None
    for sweeps in range(1, 7):
        chip = make_chip(layers, sweeps=sweeps)
        x, y = draw_batch(chip)
        chip.set_input(x)
        chip.settle(None if beta is None else Nudge(beta, y))
        read = chip.read()
        if half is not None:
            moved = {name: read[name] if k % 2 else half[name] for k, name in enumerate(chip.layers)}
            energies.append(measure_energy(chip, moved, beta or 0.0, y))
        half = read
        energies.append(measure_energy(chip, read, beta or 0.0, y))
    steps = np.diff(energies, axis=0)
    assert np.all(steps <= 1e-15 * np.abs(energies[0]))
    assert np.all(steps[:2] < 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_currents_add_up_to_zero_where_no_diode_conducts(kind):
    chip = make_chip(**kind)
    chip.set_input(draw_batch(chip)[0])
    result = chip.settle()
    assert np.all(result.residual <= 1e-14)
    v = join(chip.read())
    nodes, matrix, current = assemble(chip)
    sizes = np.zeros_like(v)
    for i, j, g in list_elements(chip)[1]:
        for end in (i, j):
            sizes[:, end] += np.abs(g * (v[:, i] - v[:, j]))
    left = np.abs(current - v @ matrix)
    for name in list(chip.layers)[1:]:
        off = v[:, nodes[name]] != 0.0
        assert np.all(left[:, nodes[name]][off] <= 1e-12 * sizes.max())


@pytest.mark.parametrize("layers", [HIDDEN, DEEP])
def test_no_node_leaves_the_range_of_the_sources(layers):
    chip = make_chip(layers, bias="none")
    x, _ = draw_batch(chip, 20)
    chip.set_input(x)
    chip.settle()
    assert np.all(np.abs(join(chip.read())) <= np.abs(x).max(axis=1, keepdims=True))


def test_a_sample_that_has_not_settled_is_told():
    chip = make_chip(DEEP, sweeps=2)
    x, _ = draw_batch(chip)
    chip.set_input(x)
    result = chip.settle()
    assert np.all(result.status == Status.STEP_LIMIT)
    assert np.all(result.steps == 2)
    assert np.all(result.residual > 1e-8)
    np.testing.assert_array_equal(result.time, 0.0)
    chip = make_chip(DEEP, sweeps=2, tolerance=0.9)
    chip.set_input(x)
    result = chip.settle()
    np.testing.assert_array_equal(result.status, Status.SETTLED)
    np.testing.assert_array_equal(result.steps, 2)


@pytest.mark.parametrize(("share", "status"), [(0.8, Status.SETTLED), (1.2, Status.DIVERGED), (20.0, Status.DIVERGED)])
def test_a_negative_nudge_beyond_the_critical_one_diverges(share, status):
    chip = make_chip(DEEP, diodes=())
    x, y = draw_batch(chip)
    nodes, matrix, _ = assemble(chip)
    out, hidden = nodes["out"], np.concatenate([nodes["h1"], nodes["h2"]])
    inner = np.linalg.solve(matrix[np.ix_(hidden, hidden)], matrix[np.ix_(hidden, out)])
    critical = np.linalg.eigvalsh(matrix[np.ix_(out, out)] - matrix[np.ix_(out, hidden)] @ inner).min()
    chip.set_input(x)
    result = chip.settle(Nudge(-share * critical, y))
    np.testing.assert_array_equal(result.status, status)


def test_samples_do_not_see_each_other():
    chip = make_chip(DEEP)
    x, y = draw_batch(chip, 21)
    chip.set_input(x)
    signs = np.resize([1.0, -1.0, -1.0], 21)
    result = chip.settle(Nudge(BETA, y, signs))
    together = join(chip.read())
    assert len(set(result.steps)) > 1
    for k in range(21):
        chip.set_input(x[k : k + 1])
        alone = chip.settle(Nudge(BETA * signs[k], y[k : k + 1]))
        assert alone.steps[0] == result.steps[k]
        np.testing.assert_allclose(join(chip.read())[0], together[k], rtol=0.0, atol=1e-15)


@pytest.mark.parametrize("layers", [HIDDEN, DEEP])
@pytest.mark.parametrize("beta", [1e-7, 1e-5, 1e-3, -1e-3])
def test_a_held_nudge_gives_the_exact_gradient_of_a_linear_circuit(layers, beta):
    chip = make_chip(layers, diodes=(), nudge="held")
    x, y, free, after, before = settle_phases(chip, beta, batch=1)
    found = contrast(chip, after, before, 1.0 / (4.0 * beta))
    nodes, matrix, _ = assemble(chip)
    v, outputs = join(free)[0], nodes[list(chip.layers)[-1]]
    error, moving = np.zeros(len(v)), np.arange(2 * x.shape[1], len(v))
    error[outputs] = v[outputs] - y[0]
    slope = np.zeros(len(v))
    slope[moving] = np.linalg.solve(matrix[np.ix_(moving, moving)], error[moving])
    exact = np.array([-(slope[i] - slope[j]) * (v[i] - v[j]) for i, j, _ in list_elements(chip)[1]])
    told = np.concatenate([found[name].ravel() for name in chip.design.blocks if name.startswith("conductance")])
    # What rounding leaves of two settlings is divided by the nudge.
    rounding = max(1e-12, 1e-16 / abs(beta))
    np.testing.assert_allclose(told, exact, rtol=0.0, atol=rounding * np.abs(exact).max())
    for name in list(chip.layers)[1:]:
        size = np.abs(slope).max()
        np.testing.assert_allclose(found[f"current/{name}"], slope[nodes[name]], rtol=0.0, atol=rounding * size)


def measure_gradient(chip, beta):
    """Return the reads of both nudged states and the gradient, exact while no diode switches."""
    _, _, free, after, before = settle_phases(chip, beta, batch=3)
    for read in (after, before):
        assert all(np.array_equal(read[name] == 0.0, free[name] == 0.0) for name in chip.design.diodes)
    return after, before, contrast(chip, after, before, 1.0 / (4.0 * beta))


@pytest.mark.parametrize(("layers", "seed", "beta"), [(HIDDEN, 0, 1e-5), (DEEP, 4, 1e-7)])
def test_a_common_factor_of_all_conductances_changes_no_cost(layers, seed, beta):
    chip = make_chip(layers, seed, nudge="held", bias="none")
    _, _, gradient = measure_gradient(chip, beta)
    parts = [chip.programmed[name] * gradient[name] for name in gradient]
    assert abs(sum(part.sum() for part in parts)) <= 1e-14 * sum(np.abs(part).sum() for part in parts)


def test_a_gradient_step_adds_its_square_to_the_squares_of_the_conductances():
    chip = make_chip(nudge="held", bias="none")
    before = chip.programmed
    rate, beta = 3e-10, 1e-5
    one, two, gradient = measure_gradient(chip, beta)
    imprint(chip, one, two, -rate / (4.0 * beta))
    after = chip.programmed
    grown = sum((np.square(after[n]) - np.square(before[n])).sum() for n in before)
    added = rate**2 * sum(np.square(g).sum() for g in gradient.values())
    assert added > 1e-6 * sum(np.square(b).sum() for b in before.values())
    assert grown == pytest.approx(added, rel=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_contrast_is_the_difference_of_squared_voltages(kind):
    chip = make_chip(**kind)
    _, _, _, after, before = settle_phases(chip)
    found = contrast(chip, after, before, 3.0)
    expected = drop_contrast(chip, after, before)
    assert found.keys() == chip.design.blocks.keys()
    for name, values in expected.items():
        scale = np.square(join(after)).max()
        np.testing.assert_allclose(found[name], 3.0 * values, rtol=0.0, atol=1e-14 * scale)
    for name in list(chip.layers)[1:]:
        expected = -6.0 * (after[name] - before[name]).sum(axis=0)
        np.testing.assert_allclose(found[f"current/{name}"], expected, rtol=1e-12, atol=1e-18)


def test_contrast_keeps_the_digits_that_differences_of_squares_lose():
    chip = make_chip()
    read = settle_phases(chip)[2]
    shifted = {name: values + (1e-9 if name == "out" else 0.0) for name, values in read.items()}
    found = chip.contrast(shifted, read)["conductance/h1-out"]
    moved = shifted["out"] - read["out"]
    expected = np.einsum("bj,bij->ij", moved, 2.0 * (read["out"][:, None] - read["h1"][:, :, None]) + moved[:, None])
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13 * np.abs(expected).max())


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_imprint_is_a_write_of_the_contrast(kind, precision):
    keys = {**kind, "precision": precision, "tolerance": 1e-5, "window": (2e-5, 8e-5)}
    chip, other = make_chip(**keys), make_chip(**keys)
    _, _, _, after, before = settle_phases(chip)
    changes = contrast(chip, after, before, 2e-2)
    imprint(chip, after, before, 2e-2)
    other.write(changes)
    digits = 1e-15 if precision == "double" else 3e-7
    for name, values in other.programmed.items():
        scale = max(np.abs(values).max(), np.abs(changes[name]).max())
        np.testing.assert_allclose(chip.programmed[name], values, rtol=0.0, atol=digits * scale, err_msg=name)
    assert chip.limited_share == other.limited_share > 0.0
    assert max(v.max() for name, v in chip.programmed.items() if "conductance" in name) == pytest.approx(8e-5)


@pytest.mark.parametrize("rails", ["both", "single"])
def test_what_is_imprinted_takes_effect_with_the_next_settling(rails):
    chip, other = make_chip(rails=rails), make_chip(rails=rails)
    _, _, _, after, before = settle_phases(chip)
    x, _ = draw_batch(chip, 5, seed=7)
    imprint(chip, after, before, 1e-4)
    imprint(chip, before, after, 0.5e-4)
    other.write(contrast(other, after, before, 0.5e-4))
    for one in (chip, other):
        one.set_input(x)
        one.settle()
    np.testing.assert_allclose(join(chip.read()), join(other.read()), rtol=0.0, atol=1e-13)
    imprint(chip, after, before, 1e-4)
    imprint(other, after, before, 1e-4)
    assert other.limited_share == 0.0
    for one in (chip, other):
        one.settle()
    np.testing.assert_allclose(join(chip.read()), join(other.read()), rtol=0.0, atol=1e-13)
    assert np.abs(join(chip.read()) - solve_all(make_chip(rails=rails), x)).max() > 1e-3


def solve_all(chip, x):
    chip.set_input(x)
    chip.settle()
    return join(chip.read())


@pytest.mark.parametrize("precision", ["double", "single"])
def test_threads_change_no_bit(precision, monkeypatch):
    monkeypatch.setattr("substrate.engine.cpu.layered.LARGE", 1)  # so that they share the writes, too
    found = []
    for threads in (1, 2, 3):
        chip = make_chip({"in": 700, "h1": 200, "out": 10}, threads=threads, precision=precision, tolerance=1e-5)
        _, _, _, after, before = settle_phases(chip, batch=27)
        imprint(chip, after, before, 1e-7)
        found.append((join(after), chip.programmed, solve_all(chip, draw_batch(chip, 27, seed=3)[0])))
    for voltages, programmed, later in found[1:]:
        np.testing.assert_array_equal(voltages, found[0][0])
        np.testing.assert_array_equal(later, found[0][2])
        for name, values in programmed.items():
            np.testing.assert_array_equal(values, found[0][1][name])


def test_single_precision_is_near_double():
    single, double = (make_chip(DEEP, precision=p, tolerance=1e-6) for p in ("single", "double"))
    x, _ = draw_batch(single)
    np.testing.assert_allclose(solve_all(single, x), solve_all(double, x), rtol=0.0, atol=1e-5)


def test_halves_that_change_places_change_the_sign():
    chip = make_chip({"in": 3, "h1": 4, "out": 2})
    swapped = {}
    for name, values in chip.programmed.items():
        swapped[name] = np.roll(values, 2, axis=list(values.shape).index(4)) if 4 in values.shape else values
        swapped[name] = -swapped[name] if name.startswith("current") else swapped[name]
    x, _ = draw_batch(chip)
    other = LayeredChip(chip.design, swapped)
    for one, volts in ((chip, x), (other, -x)):
        one.set_input(volts)
        one.settle()
    np.testing.assert_allclose(other.read()["out"], -chip.read()["out"], rtol=0.0, atol=1e-14)
    np.testing.assert_allclose(np.roll(other.read()["h1"], 2, axis=1), -chip.read()["h1"], rtol=0.0, atol=1e-14)


REFERENCE = Path(__file__).parents[3] / "data" / "circuits" / "2-layered-ideal-diodes.json"


def load_reference():
    """Return the reference as a chip, with its bias rail as a fifth input, and what the file says.

    Its diodes take turns, those of the chip stand in halves.
    """
    told = json.loads(REFERENCE.read_text())
    g = {(e["a"], e["b"]): e["g"] for e in told["elements"] if e["kind"] == "conductor"}
    hidden, outputs = [f"h1_{k}" for k in (0, 2, 4, 1, 3)], ["o0", "o1", "o2"]
    sides = [[*(f"i{k}{rail}" for k in range(4)), "one" if rail == "p" else ""] for rail in "pm"]
    first = np.array([[[g.get((a, b), 0.0) for b in hidden] for a in side] for side in sides])
    last = np.array([[g[a, b] for b in outputs] for a in hidden])
    assert np.count_nonzero(first) + last.size == len(g)
    design = LayeredDesign(
        {"in": 5, "h1": 5, "out": 3}, diodes=("h1",), bias="none", precision="double", tolerance=1e-15
    )
    return LayeredChip(design, {"conductance/in-h1": first, "conductance/h1-out": last}), told, hidden + outputs


def test_reference_voltages_and_estimates():
    chip, told, names = load_reference()
    beta = told["beta"]
    for sample in told["samples"]:
        held = sample["held"]
        chip.set_input(np.array([[held[name] for name in ("i0p", "i1p", "i2p", "i3p", "one")]]))
        reads = []
        for phase, sign in (("free", 0.0), ("plus", 1.0), ("minus", -1.0)):
            chip.settle(Nudge(sign * beta, np.array([sample["targets"]])) if sign else None)
            reads.append(chip.read())
            found = np.concatenate([reads[-1]["h1"][0], reads[-1]["out"][0]])
            for solver, volts in (("newton", 1e-13), ("ngspice", told["tolerance"]["voltage_abs"])):
                expected = [sample[solver][phase][name] for name in names]
                np.testing.assert_allclose(found, expected, rtol=0.0, atol=volts)
        blocks = contrast(chip, reads[1], reads[2], 1.0 / (4.0 * beta))
        named = {p["element"]: value for p, value in zip(told["parameters"], sample["ep_centred"], strict=True)}
        expected = [[named[f"g_{a}_{b}"] for b in names[5:]] for a in names[:5]]
        digits = 1e-9 * np.abs(sample["ep_centred"]).max()
        np.testing.assert_allclose(blocks["conductance/h1-out"], expected, rtol=0.0, atol=digits)


def test_what_a_chip_was_asked_is_counted():
    chip = make_chip()
    _, _, _, after, before = settle_phases(chip)
    assert chip.budget == Budget(settlings=18, reads=18)
    imprint(chip, after, before, 1e-6)
    cells = sum(values.size for values in chip.programmed.values())
    chip.write({"current/out": np.array([0.0, 1e-6, 1e-6])})
    assert chip.budget == Budget(settlings=18, reads=18, writes=2, pulses=cells + 2)
    assert chip.readout is None
    assert chip.connections == [("in", "h1"), ("h1", "out")]
    assert chip.layers == HIDDEN


def test_a_node_that_nothing_conducts_to_stays_at_ground():
    design = LayeredDesign({"in": 2, "h1": 2, "out": 1}, bias="none")
    chip = LayeredChip(design, {name: np.zeros(shape) for name, shape in design.blocks.items()})
    chip.set_input(np.ones((1, 2)))
    assert chip.settle().status[0] == Status.SETTLED
    assert all(np.all(values == 0.0) for values in chip.state.values())
    assert chip.limited_share == 1.0
    np.testing.assert_array_equal(chip.clamped_share, 0.0)


@pytest.mark.parametrize(
    ("words", "do"),
    [
        ("give .batch, 4. volts", lambda chip: chip.set_input(np.zeros(4))),
        ("give .2, 3. volts", lambda chip: chip.settle(Nudge(1e-6, np.zeros((2, 4))))),
        ("real beta in S", lambda chip: chip.settle(Nudge(1e-6j, np.zeros((2, 3))))),
        ("no wave", lambda chip: chip.settle(Nudge(1e-6, np.zeros((2, 3)), wave=Wave("cosine", 1.0, 1)))),
        ("no free state", lambda chip: chip.settle(start="free")),
        ("inputs of both reads differ", lambda chip: imprint(chip, chip.read(), solve_other(chip), 1.0)),
        ("weight/in-h1 has shape", lambda chip: chip.write({"weight/in-h1": np.zeros(3)})),
        ("current/out has shape", lambda chip: chip.write({"current/out": np.zeros(2)})),
    ],
)
def test_what_cannot_be_done_is_told(words, do):
    chip = make_chip()
    chip.set_input(np.zeros((2, 4)))
    with pytest.raises(ValueError, match=words):
        do(chip)


def solve_other(chip):
    chip.set_input(np.ones((2, 4)))
    return chip.read()


def test_a_held_nudge_needs_a_free_state():
    chip = make_chip(nudge="held")
    chip.set_input(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="no free state"):
        chip.settle(Nudge(1e-6, np.zeros((2, 3))))


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("give every block", lambda blocks: blocks.pop("current/out")),
        ("conductance/in-h1 has shape", lambda blocks: blocks.update({"conductance/in-h1": np.zeros((4, 5))})),
        ("the window is 1e-06 to 1", lambda blocks: blocks["conductance/h1-out"].__setitem__(0, 5e-7)),
        ("the window", lambda blocks: blocks["conductance/h1-out"].__setitem__(0, np.nan)),
    ],
)
def test_parameters_that_do_not_fit_are_told(words, change):
    chip = make_chip(window=(1e-6, 1.0))
    blocks = chip.programmed
    change(blocks)
    with pytest.raises(ValueError, match=words):
        LayeredChip(chip.design, blocks)
