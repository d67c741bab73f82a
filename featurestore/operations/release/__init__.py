"""Release: what is served changes as a whole, and back."""
