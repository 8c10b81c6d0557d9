"""What ``resource-server inspect`` finds out about one token: what it says, who vouches for it, and what comes of it.

The decision is the library's own: a core that knows nothing yet judges a request with the token. What is told beside
it is read off what was asked and answered on the way.
"""
