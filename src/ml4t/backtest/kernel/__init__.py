"""One implementation of time, matching and accounting, compiled by Numba. Numbers only: no strings, no datetimes, no exceptions."""
