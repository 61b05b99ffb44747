"""Recorded and published data as what a model learns from: rows, prices and labels, split by time.

``direction`` daily up/down benchmarks; ``orderbook`` rows of recorded order books; ``minutes`` one-minute bars;
``fi2010`` the files of FI-2010; ``recording`` how rows are kept. The data itself is not part of the project: each
loader takes a path.
"""
