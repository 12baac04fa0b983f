"""The Berkeley Function Calling Leaderboard, version 4: a measure from outside, that nothing here may train on.

``pack`` fetches its files, ``items`` reads them, ``attempt`` puts them to a model, ``rules`` judges calls and ``turns``
whole conversations, ``job`` runs it all, ``proof`` holds the rules against the official ones. Results stay in the job's
folder: no trajectory, no dataset and no training row is ever made of them.
"""
