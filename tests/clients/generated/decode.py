"""Prints the full name of a resident, by code that was generated from an exported package."""

import pathlib
import sys

generated, record = sys.argv[1:]
sys.path.insert(0, generated)

from civil.v1 import resident_pb2  # noqa: E402

resident = resident_pb2.Resident.FromString(pathlib.Path(record).read_bytes())
print(resident.full_name)
