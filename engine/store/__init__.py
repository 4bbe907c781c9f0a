"""SQLite keeps it all for restart: journal, users, outbox, records, plans, quarantine.

One connection writes and checkpoints, for the life of the process. What a commit carries is a
`Batch`: the inputs as they were applied, and every user who has an effect in it, with the effects.
"""

from engine.store.batch import EXCERPT_BYTES, Batch, QuarantineChange, Quarantined, Retried
from engine.store.database import CommitFailed, OutboxRow, Store
from engine.store.lock import DataFolder, Holder, holder_of
from engine.store.recovery import Recovered

__all__ = [
    "EXCERPT_BYTES",
    "Batch",
    "CommitFailed",
    "DataFolder",
    "Holder",
    "OutboxRow",
    "QuarantineChange",
    "Quarantined",
    "Recovered",
    "Retried",
    "Store",
    "holder_of",
]
