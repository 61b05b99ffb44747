"""The thin loop around engine, models and decision.

the loop      ``orchestrator``, around the loop in ``csrc/bot``; ``sources`` (the models)
around it     ``replay`` (recorded events), ``intelligence`` (one call that answers, for many symbols)
its memory    ``journal`` of ``records`` (every decision, and why), ``latency``, ``scorecards`` (of all bots)
what it shows ``session`` (one run and its figures), ``console``, ``report`` with ``charts`` and ``report.html``
commands      ``demo``, ``recording``

Importing this loads nothing; take the parts from their modules, or from ``smartcore`` itself.
"""
