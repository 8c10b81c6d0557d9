"""What the resource server costs, measured against a baseline in the same run: ``make bench``."""
