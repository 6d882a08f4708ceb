"""Symbols, signs and scales: the one place where they are decided.

========= ====================================================================== ==============
symbol    meaning                                                                shape
========= ====================================================================== ==============
``u``     membrane state of the unclamped units                                  (batch, units)
``a``     activity ``rho(u)``, the measured output of a unit                     (batch, units)
``W``     effective coupling ``W[post, pre]``; blocks are stored (pre, post)     (units, units)
``I``     drive of the clamped input plus bias, constant during a settling       (batch, units)
``h``     net drive ``W a + I``; that of the outputs gets the nudge              (batch, units)
``F``     drift: ``tau du/dt = F``, `tau` per unit                               (batch, units)
``beta``  nudge; positive pulls towards lower cost: ``-beta e``                  scalar
``e``     ``dC/da`` of one sample's cost `C`, never averaged over the batch      (batch, outputs)
``s``     drive behind a synaptic pole: ``synapse_tau ds/dt = h - s``            (batch, units)
========= ====================================================================== ==============

Additive law: ``F = -u + h``. Its linearisation in the coordinates of the drive is ``1 - W R`` with
``R = diag rho'(u)``. Hopfield law: ``F = -u + rho'(u) h``, for symmetric `W` minus the gradient of
``E = |u|^2/2 - a W a/2 - I a``; its linearisation is ``-1 + diag(rho'' h) + R W R``. With a synaptic
pole, `s` stands in the place of `h`; rest points stay where they are.

Noise: ``tau du = F dt + sigma sqrt(2 tau) dB``; on a bare leak `u` has the standard deviation `sigma`.

Times are in units of tau, errors and gradients are ``dL/d...``: positive means that lowering the
quantity lowers the cost.
"""
