"""The flywheel as one job: explore, curate, train, explore again, learn from preferences, measure."""
