"""What operators ask and have done, on a port of their own: a file for each kind of question."""
