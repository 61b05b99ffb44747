"""One net a file, its configuration on top. Each normalises raw rows inside and exports as one CoreML partition."""
