"""An hour of mixed load on the real process: what grows, is late, gets lost or comes twice."""
