"""The thin loop around engine, models and decision: orchestrator, journal, latency, report.

Importing this loads nothing; take the parts from their modules, or from ``smartcore`` itself.
"""
