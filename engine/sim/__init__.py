"""Virtual time: a plan run over recorded events, by the same processor that serves.

`sources` opens what was recorded, `ndjson` and `table` read it and tell `reading` what they could
not, `ordering` puts it into order of arrival within bounded memory, `simulate` lets time pass,
`deliveries` answers each message at once, `summary` counts what came of it, and `run` is all that.
`shoppers` are the demo's: what they do is drawn, and not recorded.
"""
