"""The definitions that users write: contracts, sources, datasets, feature views, services, training sets."""
