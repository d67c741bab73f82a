"""What a user writes: contracts, sources, datasets, feature views, services, training sets."""
