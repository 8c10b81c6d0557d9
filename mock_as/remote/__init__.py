"""The parts of an issuer in another process: they look like those of :class:`mock_as.MockAS`, and ask over HTTP."""
