"""How committed messages leave: what waits, in which order, at which pace, and what comes of it."""
