"""Circuits as netlists of SPICE: written, run by ngspice where it is installed, and read."""
