"""How slowly a circuit comes to rest: the slowest mode around a rest point.

There ``C dw/dt = -J w`` for what is missing of the voltages, with the capacitance matrix C of the free nodes and the
conductance matrix J. A mode ``J^-1 C v = k v`` decays as ``exp(-t/k)``: the slowest one has the time constant
``1/Re(1/k)`` of the largest k. Nodes without a capacitor follow at once, k = 0.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, eigs, splu

from ..circuit import Array
from ..linear import compute_sparse_jacobian
from ..system import CircuitSystem
from .transient import compute_capacitance

_SMALL = 200
"""Free nodes up to which all modes are found; of more, those of the largest k."""

_SOUGHT = 4


def compute_slowest_time(system: CircuitSystem, voltages: Array, clamped: Array) -> float:
    """Return the time constant of the slowest mode around a rest point, in seconds.

    Parameters
    ----------
    system : CircuitSystem
        The circuit.
    voltages : array (nodes,)
        Of all nodes at rest.
    clamped : array (unknowns,)
        Free nodes that an ideal diode holds: they do not move.

    Returns
    -------
    float
        0 where no capacitor holds a free node; infinite where the point is not stable.
    """
    moving = np.flatnonzero(~clamped.astype(bool))
    jacobian, capacitance = (
        matrix.tocsc()[moving][:, moving]
        for matrix in (compute_sparse_jacobian(system, voltages), compute_capacitance(system))
    )
    if not capacitance.nnz or not np.abs(capacitance.data).max():
        return 0.0
    if len(moving) <= _SMALL:
        found = np.linalg.eigvals(np.linalg.solve(jacobian.toarray(), capacitance.toarray()))
    else:
        factors = splu(sparse.csc_matrix(jacobian))
        product = LinearOperator(jacobian.shape, matvec=lambda w: factors.solve(capacitance @ w), dtype=np.float64)
        found = eigs(product, k=_SOUGHT, which="LM", return_eigenvectors=False)
    found = found[np.abs(found) > 1e-12 * np.abs(found).max()]
    slowest = float((1.0 / found).real.min())
    return 1.0 / slowest if slowest > 0.0 else float("inf")
