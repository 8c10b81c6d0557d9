"""Configurations of proxies to paste: the tested examples, with the addresses, scope and name that somebody wishes.

Nothing is written here that is not in the examples; an edit puts another value in the place of the example's own.
"""
