"""What is done in a process beside the one that serves (`engine.runtime.beside`)."""
