"""HTTP: the online store behind a server that speaks Feast's wire format and a leaner one of its own."""
