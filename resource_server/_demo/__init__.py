"""The story that ``resource-server demo`` plays with two processes: a mock authorization server and an orders API.

``story`` is the script and ``play`` plays it; ``stage`` starts and ends the processes; ``rows`` holds what happened
against what was expected. The API is ``examples/fastapi_app.py``, which the wheel has in this folder. The library uses
nothing of this.
"""
