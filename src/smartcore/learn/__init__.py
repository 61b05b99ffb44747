"""Offline: nets, tree ensembles, training, evaluation, export and the checks an exported file must pass.
Needs ``[train]``.
"""
