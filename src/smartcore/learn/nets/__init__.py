"""One net a file, its configuration on top. Every net normalises raw rows inside and exports as one CoreML
partition.
"""
