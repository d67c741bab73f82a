"""Pages for people and files for machines, made from what the gate recorded."""
