"""The definitions of the reference project: NYC flights of 2013."""
