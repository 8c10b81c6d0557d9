"""The endpoints of the authorization server, one in a file."""
