"""Ourselves and others, side by side: the same requests, the same authorization server, one process each."""
