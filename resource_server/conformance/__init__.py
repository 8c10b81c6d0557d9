"""Judge any resource server, in whatever language it is written, by what it answers over HTTP.

It starts the mock authorization server, drives a running resource server through clauses that can be seen from
outside, and reports. It shares no code with the library beside it: a shared bug would make both agree.

``target`` describes what is judged, ``clauses`` what it is judged by, ``run`` tries them, ``report`` counts. Nothing is
imported here, so that the pytest plugin costs those nothing who do not use it.
"""
