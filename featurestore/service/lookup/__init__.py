"""How the server finds feature values: the endpoints of the active release, their JSON types, and lookups."""
