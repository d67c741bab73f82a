"""What Feast sees: the objects compiled from the definitions beside this file."""

from pathlib import Path

from featurestore.adapters.feast.objects import expose

globals().update(expose(Path(__file__).parent))
