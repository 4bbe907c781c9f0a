"""The pure core: no clock, no I/O, no randomness, no logging.

Theory of operation. An *input* (`inputs`) is something undetermined that happened: an event, an
identify call, the outcome of a delivery, the end of a downtime. It bears the logical instant at
which the core took it. `transition.step` applies one input to one user (`state`) under one `plan`
and appends *effects* (`effects`) to a list: records of what happened, messages to send. The same
inputs with the same stamps give the same state and the same effects, whoever calls: the live
process, a dry run in virtual time, or a replay after a crash.

A user knows the next instant at which something can happen by time alone
(`User.due_at_ms`); `transition.fire` makes it happen. Bad data gives a refusal as an effect,
never an exception half way.

Here lie the door, what goes through it and what it keeps. The rooms hold the parts: `conditions`
and the language they are written in (`cel`), the `steps`, a user's `past`, the `people`, their
`messages`; `intake` reads what clients say, `reports` tells what became of it, `stats` reckons.
"""
