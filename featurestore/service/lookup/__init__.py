"""How the server finds feature values: endpoints of the active release, over the online store."""
