"""The drift of the state, and the one place where signs and scales are decided.

========= ====================================================================== ==============
symbol    meaning                                                                shape
========= ====================================================================== ==============
``u``     membrane state of the unclamped units                                  (batch, units)
``a``     activity ``rho(u)``, the measured output of a unit                     (batch, units)
``W``     effective coupling ``W[post, pre]``; blocks are stored (pre, post)     (units, units)
``I``     drive of the clamped input plus bias, constant during a settling       (batch, units)
``h``     net drive ``W a + I``                                                  (batch, units)
``F``     drift: ``tau du/dt = F``                                               (batch, units)
``beta``  nudge; positive pulls towards lower cost                               scalar
``e``     ``dC/da`` of one sample's cost `C`, never averaged over the batch      (batch, outputs)
========= ====================================================================== ==============

Additive law: ``F = -u + h``, where the drive of the outputs gets ``-beta e``. Its linearisation in
the coordinates of the drive is ``1 - W R`` with ``R = diag rho'(u)``.

Times are in units of tau, errors and gradients are ``dL/d...``: positive means that lowering the
quantity lowers the cost.
"""

from __future__ import annotations


def additive_drift(u: float, h: float) -> float:
    """Return the drift ``F = -u + h`` of the additive law."""
    return h - u
