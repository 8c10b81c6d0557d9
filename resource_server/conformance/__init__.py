"""Judge any resource server, in whatever language it is written, by what it answers over HTTP."""
