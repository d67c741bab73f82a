"""The simulated year of `benchmarks/year.py`: its faults, its disk, its clock and its project."""
