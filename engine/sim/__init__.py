"""Virtual time: a plan run over recorded events, by the same processor that serves.

`sources` opens what was recorded, `ndjson` and `table` read it, `ordering` puts it into order of
arrival within bounded memory, `simulate` lets time pass, `deliveries` answers each message at once,
and `summary` counts what came of it.
"""
