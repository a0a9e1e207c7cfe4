"""Random small models on awkward tables: each ends in a refusal or in a right, finite answer.

`python -m tests.fuzz START COUNT` tries the seeds START to START + COUNT - 1 and prints those
that end otherwise.
"""
