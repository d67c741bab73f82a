"""One third party each."""
