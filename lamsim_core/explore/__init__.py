"""Exploration: one attempt under a magnifying glass, or many as a job, through the same stream of events."""
