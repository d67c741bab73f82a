"""``python -m featurestore.cli``."""

from featurestore.cli.app import main

main()
