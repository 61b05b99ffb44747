"""What we know: the catalogue of features, feature sets, and the engine that keeps them current."""
