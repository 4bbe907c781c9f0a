"""What runs the core: the processor (sans-I/O), and the asyncio shell around it.

`processor` applies inputs and lets time pass; `shell` owns it in one task, commits what it made and
releases it afterwards; `ticker` wakes the shell at the next deadline; `dispatcher` delivers.
`restart` makes them from what the last run left. `clock` is the only reader of time.
"""
