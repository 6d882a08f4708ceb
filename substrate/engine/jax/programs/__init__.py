"""What JAX compiles: functions of arrays alone, by what is fixed in a `Spec`."""
