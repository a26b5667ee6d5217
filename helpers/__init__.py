"""The shared module of the course.

Copy `schedules.py` and one of the `for_*.py` adapters into your own project: they need nothing else of ours.
"""
