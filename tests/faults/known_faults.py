"""The known ways in which feature stores go wrong, each planted in our own code or in a project."""

import data_faults
import definition_faults
import log_faults
import proof_faults
import serving_faults
import store_faults
import time_faults
import value_faults

# By the section of docs/faults.md.
PARTS = {
    "Time": time_faults,
    "Keys and the online store": store_faults,
    "Values": value_faults,
    "Ways of reading, releases": serving_faults,
    "Definitions and raw data": definition_faults,
    "Data at rest": data_faults,
    "Pushed and deleted rows, history": log_faults,
    "The proof itself": proof_faults,
}
FAULTS = tuple(fault for part in PARTS.values() for fault in part.FAULTS)
