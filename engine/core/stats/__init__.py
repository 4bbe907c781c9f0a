"""Statistics of experiments, out of counts alone: pure, and the same each time."""
