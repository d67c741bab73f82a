"""Windows that slide: aggregates of the events of a key, at any moment asked.

An event counts in a window from the moment it is known until it leaves the window, is replaced or is deleted: one
interval of time (`intervals`). What is asked at a moment is an aggregate of the events whose intervals hold it.
"""
