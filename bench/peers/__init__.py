"""Durable delays beside other tools: `python -m bench.peers`, on demand and not in CI."""
