"""LAM Simulator: tool-calling agents explore simulated tasks, are judged on every action, and learn from what passed."""

__version__ = "0.3.0"
