"""What ends the suite before it has judged anything."""


class SuiteError(Exception):
    """The suite cannot go on; the message says why."""
