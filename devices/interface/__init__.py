"""Between chip and experimenter: converters, holds, the force of the cost, energy."""
