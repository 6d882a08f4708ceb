"""Small layered circuits, and what must hold of them, computed from their elements alone."""

import itertools

import numpy as np

from substrate.circuits.layered.chip import LayeredChip
from substrate.circuits.layered.design import LayeredDesign

HIDDEN = {"in": 4, "h1": 5, "out": 3}
DEEP = {"in": 3, "h1": 4, "h2": 3, "out": 2}
EXACT = {"precision": "double", "tolerance": 1e-14}


def random_parameters(design, seed=0):
    rng = np.random.default_rng(seed)
    low, high = np.clip((1e-6, 1e-4), *design.window)
    return {
        name: rng.uniform(low, high, shape) if name.startswith("conductance") else rng.normal(0.0, 1e-5, shape)
        for name, shape in design.blocks.items()
    }


def make_chip(layers=HIDDEN, seed=0, threads=1, **keys):
    """Return a chip with random parameters, ideal diodes in all hidden layers unless told."""
    keys = {"diodes": tuple(layers)[1:-1], **EXACT, **keys}
    design = LayeredDesign(layers, **keys)
    return LayeredChip(design, random_parameters(design, seed), threads)


def draw_batch(chip, batch=6, seed=1, volts=2.0):
    """Return inputs and targets."""
    rng = np.random.default_rng(seed)
    sizes = list(chip.layers.values())
    return rng.uniform(-volts, volts, (batch, sizes[0])), rng.uniform(-1.0, 1.0, (batch, sizes[-1]))


def list_elements(chip):
    """Return nodes by layer, the input first and then its opposite rail, and conductors (i, j, g) between them."""
    nodes, count = {}, 0
    sizes = list(chip.layers.items())
    for name, width in [sizes[0], ("minus", sizes[0][1]), *sizes[1:]]:
        nodes[name], count = np.arange(count, count + width), count + width
    elements = []
    for k, (pre, post) in enumerate(chip.connections):
        block = chip.programmed[f"conductance/{pre}-{post}"]
        rails = zip((pre, "minus"), block if block.ndim == 3 else block[None], strict=False)
        for side, values in rails if k == 0 else [(pre, block)]:
            elements += [(i, j, values[a, b]) for a, i in enumerate(nodes[side]) for b, j in enumerate(nodes[post])]
    return nodes, elements


def assemble(chip, beta=0.0):
    """Return the conductance matrix of all nodes, that of a nudge included, and the bias currents into them."""
    nodes, elements = list_elements(chip)
    n = sum(map(len, nodes.values()))
    matrix, current = np.zeros((n, n)), np.zeros(n)
    for i, j, g in elements:
        matrix[[i, j], [i, j]] += g
        matrix[[i, j], [j, i]] -= g
    outputs = nodes[list(chip.layers)[-1]]
    matrix[outputs, outputs] += beta
    for name in list(chip.layers)[1:]:
        current[nodes[name]] = chip.programmed.get(f"current/{name}", 0.0)
    return nodes, matrix, current


def join(read):
    """Return the voltages of all nodes, (batch, nodes), in the order of `list_elements`."""
    first, *others = read.values()
    return np.concatenate([first, -first, *others], axis=1)


def solve(chip, x, beta=0.0, injected=None):
    """Return the voltages of all nodes of one sample: the only set of conducting diodes that fits, among all."""
    nodes, matrix, current = assemble(chip, beta)
    names = list(chip.layers)
    if injected is not None:
        current[nodes[names[-1]]] += injected
    v = np.concatenate([x, -x, np.zeros(len(matrix) - 2 * len(x))])
    free = np.arange(2 * len(x), len(matrix))
    sign = np.zeros(len(matrix))
    for name in chip.design.diodes:
        half = -(-len(nodes[name]) // 2)
        sign[nodes[name]] = np.where(np.arange(len(nodes[name])) < half, 1.0, -1.0)
    with_diode = np.flatnonzero(sign)
    for chosen in itertools.product((False, True), repeat=len(with_diode)):
        on = with_diode[np.array(chosen, dtype=bool)]
        moving = np.setdiff1d(free, on)
        v[on] = 0.0
        rest = current - matrix[:, : 2 * len(x)] @ v[: 2 * len(x)]
        v[moving] = np.linalg.solve(matrix[np.ix_(moving, moving)], rest[moving])
        into = current - matrix @ v
        if np.all(sign * v >= 0.0) and np.all(sign[on] * into[on] <= 0.0):
            return v
    raise AssertionError("no set of diodes fits")


def measure_energy(chip, read, beta=0.0, target=0.0):
    """Return the co-content of every sample, W, without diodes, which carry no voltage or no current."""
    v = join(read)
    _, elements = list_elements(chip)
    nodes, _, current = assemble(chip)
    found = sum(0.5 * g * (v[:, i] - v[:, j]) ** 2 for i, j, g in elements) - v @ current
    return found + 0.5 * beta * ((v[:, nodes[list(chip.layers)[-1]]] - target) ** 2).sum(axis=1)


def drop_contrast(chip, after, before):
    """Return the difference of squared voltages of every conductance, summed over samples, element by element."""
    one, two = join(after), join(before)
    _, elements = list_elements(chip)
    found = np.array([((one[:, i] - one[:, j]) ** 2 - (two[:, i] - two[:, j]) ** 2).sum() for i, j, _ in elements])
    blocks, at = {}, 0
    for name, shape in chip.design.blocks.items():
        if name.startswith("conductance"):
            blocks[name], at = found[at : at + np.prod(shape)].reshape(shape), at + int(np.prod(shape))
    return blocks
