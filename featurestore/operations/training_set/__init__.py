"""Training set: build, split, sample, fit, measure, document and rebuild it."""
