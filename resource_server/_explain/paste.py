"""Reading what people paste: ``curl -i`` and ``curl -v``, with redirects, folded fields, prompts and all.

A line is what ends with CR, LF or both. Nothing of it is believed: a name, a number and a text are all that is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from resource_server._explain.answer import Answer, Sent, UnreadableError
from resource_server._explain.devtools import read_json

_LINE_END = re.compile(r"\r\n|\r|\n")
_STATUS = re.compile(r"[ \t]*HTTP/\d(?:\.\d)? (?P<status>[1-5]\d\d)(?: +(?P<reason>.*))?[ \t]*")
_FIELD = re.compile(r"(?P<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(?P<value>.*)")
_REQUEST = re.compile(r"[A-Z]+ \S+ HTTP/\d(?:\.\d)?")
_AUTHORIZATION = re.compile(r"(?i)\bauthorization:[ ]*([A-Za-z]+)[ ]+([^\s'\"]+)")
_IN_URL = re.compile(r"[?&]access_token=([^&\s'\"]+)")
"""Where a token may stand too, by RFC 6750 section 2.3."""
_CURL_NOTE = re.compile(r"[*] |[{}] \[\d+ bytes data\]")
_CURL_LEFT, _INTACT = "* Connection #", " left intact"
"""What curl puts behind a body that does not end with a line."""


def read_paste(text: str) -> tuple[Answer, ...]:
    """Read responses, in the order in which they came.

    Args:
        text: responses as ``curl -i`` or ``curl -v`` print them, or JSON of a browser's developer tools.

    Returns:
        At least one; interim responses (1xx) and those of a proxy's CONNECT are left out.

    Raises:
        UnreadableError: there is none.
    """
    if text.lstrip().startswith(("{", "[")):
        return read_json(text)
    lines = _LINE_END.split(text)
    verbose = any(line.startswith("< HTTP/") for line in lines)
    reader = _Reader()
    for line in lines:
        if verbose:
            _read_verbose(reader, line)
        else:
            reader.line(line)
    answers = tuple(answer for answer in reader.answers() if not _interim(answer))
    if not answers:
        raise UnreadableError("there is no status line like 'HTTP/1.1 401 Unauthorized': curl -i prints it")
    return answers


def read_fields(lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Read fields that stand for themselves.

    Args:
        lines: each as ``Name: value``.

    Returns:
        Their names, in lower case, and values.

    Raises:
        UnreadableError: a line is no field.
    """
    found = [_FIELD.fullmatch(line.strip()) for line in lines]
    if None in found:
        raise UnreadableError("a field is written as 'Name: value'")
    return tuple((item["name"].lower(), item["value"].strip()) for item in found if item is not None)


def _interim(answer: Answer) -> bool:
    return answer.status < 200 or "connection established" in answer.reason.lower()  # noqa: PLR2004 - 1xx


def _read_verbose(reader: _Reader, line: str) -> None:
    """Read a line of ``curl -v``, which marks what was sent, what was received, and its own notes."""
    mark, content = line[:1], line[2:]
    if mark == ">" and line[1:2] in ("", " "):
        reader.sent_line(content)
    elif mark == "<" and line[1:2] in ("", " "):
        reader.line(content)
    elif not _CURL_NOTE.match(line):
        reader.body_line(_without_note(line))


def _without_note(line: str) -> str:
    start = line.rfind(_CURL_LEFT) if line.endswith(_INTACT) else -1
    return line if start < 0 else line[:start]


class _Reader:
    """Takes lines one by one, and makes responses of them."""

    def __init__(self) -> None:
        """Have read nothing yet."""
        self._answers: list[Answer] = []
        self._fields: list[tuple[str, list[str]]] = []
        self._body: list[str] = []
        self._sent: Sent | None = None
        self._in_fields = False

    def line(self, line: str) -> None:
        """Read a line of a response: its status, a field, the end of its fields, or its body."""
        if found := _STATUS.fullmatch(line):
            self._begin(int(found["status"]), found["reason"] or "")
        elif not self._answers:
            self._note_credentials(line)
        elif self._in_fields:
            self._field_line(line)
        else:
            self.body_line(line)

    def sent_line(self, line: str) -> None:
        """Read a line of a request."""
        if _REQUEST.fullmatch(line):
            self._sent = Sent()
        self._note_credentials(line)

    def body_line(self, line: str) -> None:
        """Read a line of a body; before the first response it is nobody's."""
        if self._answers:
            self._body.append(line)

    def answers(self) -> Iterable[Answer]:
        """Return all of them."""
        self._end()
        return self._answers

    def _begin(self, status: int, reason: str) -> None:
        self._end()
        self._answers.append(Answer(status, reason.strip(), sent=self._sent))
        self._in_fields = True

    def _end(self) -> None:
        if self._answers:
            body = "\n".join(self._body).strip()
            self._answers[-1] = replace(self._answers[-1], fields=tuple(self._joined()), body=body)
        self._fields, self._body = [], []

    def _joined(self) -> Iterable[tuple[str, str]]:
        """Return the fields; a folded one, whose lines were kept apart, as one value."""
        return ((name, " ".join(lines)) for name, lines in self._fields)

    def _field_line(self, line: str) -> None:
        if not line.strip():
            self._in_fields = False
        elif line[0] in " \t" and self._fields and not _FIELD.fullmatch(line.strip()):
            self._fields[-1][1].append(line.strip())
        elif found := _FIELD.fullmatch(line.strip()):
            self._fields.append((found["name"].lower(), [found["value"].strip()]))
        else:
            self._in_fields = False
            self._body.append(line)

    def _note_credentials(self, line: str) -> None:
        if found := _AUTHORIZATION.search(line):
            self._sent = Sent(found[1].lower(), found[2])
        elif found := _IN_URL.search(line):
            self._sent = Sent("bearer", found[1])
