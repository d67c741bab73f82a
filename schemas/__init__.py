"""The contracts of the reference project: NYC flights of 2013."""
