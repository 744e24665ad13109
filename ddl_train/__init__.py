"""A day and a night for an open-weights language model: daydream, sleep, evaluate, promote."""

__version__ = "0.1.0"
