"""`python -m mock_as` is the command `mock-as`."""

from __future__ import annotations

from mock_as.cli import main

main()
