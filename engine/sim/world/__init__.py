"""A simulated world around the real process: one seed, and everything that can go wrong.

`world` runs a `scenario`. In it, `process` is one life of the real store, shell, processor and
dispatcher on a `loop` whose time is the `machine`'s; `disk` does the store's work on real SQLite
files and leaves of them what a kill or a power cut would; `clients` and `providers` are outside,
and outlive it. `witness` holds all that happens against what durability promises. `shrinking` finds
the smallest scenario that still fails; `python -m engine.sim.world` runs many seeds, or one.
"""
