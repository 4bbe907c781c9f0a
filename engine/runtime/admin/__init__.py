"""What operators ask of a process, and what is counted for their answers."""
