"""The steps of a campaign, nested as they are written, to the flat program of `plan`.

`program` lays them out; what a step of each kind is, a reader of its own says.
"""

from __future__ import annotations

from config.steps.program import Program, Templates

__all__ = ["Program", "Templates"]
