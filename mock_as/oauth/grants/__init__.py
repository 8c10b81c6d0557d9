"""The grants, one in a file."""
