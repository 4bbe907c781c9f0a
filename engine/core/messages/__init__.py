"""A message on its way: judged, held to its caps and hours, reported on, answered, put down to."""
