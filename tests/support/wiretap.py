"""Listen in on the resource server: which secrets pass through it, and what of it others can read.

The taps are laid once, before any test is collected, and cost nothing while nobody listens. Loggers are heard down to
DEBUG, though no level is changed: what a logger would not have passed on ends here.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from resource_server import _core, _facade, errors, principal, settings
from resource_server._options.authorization_server import AuthorizationServer
from resource_server._protocol import bearer, client_auth, jwe, problem, token_request
from resource_server._runtime import observe
from resource_server._validation import nonce, signed_answer, vault
from tests.support.canary import chain
from tests.support.secrecy import Ledger

TALKERS = frozenset({"uvicorn.error", "websockets.client", "websockets.server"})
"""Loggers that write down every header field at DEBUG: what servers and clients log is theirs."""
_FRAMEWORKS = frozenset({"environ", "receive", "scope", "send"})
"""Variables that are the framework's, and hold the whole request in each of its frames as in ours."""
_KEYS = frozenset({"client_key", "decryption_key", "metadata_key"})
_SECRETS = frozenset({"bearer_token", "cache_secret", "client_secret", "dpop_secret"})

_listening: list[Ledger] = []


@contextmanager
def listening() -> Generator[Ledger]:
    """Take down what is heard from now on."""
    ledger = Ledger()
    _listening.append(ledger)
    try:
        yield ledger
    finally:
        _listening.remove(ledger)


def lay() -> None:
    """Lay the taps, once in this process."""
    _tap_function(bearer.extract_credential, before=_hear_request)
    _tap_function(client_auth.client_proof, before=_hear_client)
    _tap_function(client_auth.authenticated, after=_hear_question)
    _tap_function(token_request.process_token_response, after=_hear_grant)
    _tap_function(signed_answer.read_answer, before=_hear_answer)
    _tap_function(jwe.read_nested, before=_hear_decrypted)
    _tap_function(problem.render_error, after=_read_response)
    _tap_function(observe.notify, before=_read_event)
    _tap_function(principal.bind, before=_read_principal)
    _tap_method(settings.Settings, "__init__", before=_hear_options, after=_read_settings)
    _tap_method(AuthorizationServer, "__init__", before=_hear_options)
    _tap_method(vault.Vault, "__init__", before=_hear_vault)
    _tap_method(nonce.Nonces, "__init__", before=_hear_nonces)
    _tap_method(errors.ResourceServerError, "__init__", before=_read_error)
    _tap_method(_core.Core, "_refuse", before=_read_refusal)
    _tap_method(_facade.Facade, "__init__", after=_read_facade)
    _tap_loggers()


def _tap_function(original: Callable[..., Any], **ears: Callable[..., None]) -> None:
    """Put a tap in the place of a function, in every module that has it."""
    tapped = _tapped(original, **ears)
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "resource_server"]
    for module in modules:
        for name in [name for name, value in vars(module).items() if value is original]:
            setattr(module, name, tapped)


def _tap_method(owner: type, name: str, **ears: Callable[..., None]) -> None:
    setattr(owner, name, _tapped(getattr(owner, name), **ears))


def _tapped(
    original: Callable[..., Any],
    before: Callable[..., None] | None = None,
    after: Callable[[Ledger, Any], None] | None = None,
) -> Callable[..., Any]:
    """Let a function's arguments be heard, and what it returns, or who it belongs to where that is nothing."""

    @wraps(original)
    def tapped(*args: Any, **kwargs: Any) -> Any:
        ledger = _listening[-1] if _listening else None
        if ledger is not None and before is not None:
            before(ledger, *args, **kwargs)
        result = original(*args, **kwargs)
        if ledger is not None and after is not None:
            after(ledger, args[0] if result is None else result)
        return result

    return tapped


def _tap_loggers() -> None:
    is_enabled, handle = logging.Logger.isEnabledFor, logging.Logger.handle

    def is_enabled_or_heard(self: logging.Logger, level: int) -> bool:
        heard = bool(_listening) and level >= logging.DEBUG and self.name not in TALKERS
        return heard or is_enabled(self, level)

    def hear_and_handle(self: logging.Logger, record: logging.LogRecord) -> None:
        if _listening and self.name not in TALKERS:
            _read_record(_listening[-1], record)
        if is_enabled(self, record.levelno):
            handle(self, record)

    logging.Logger.isEnabledFor = is_enabled_or_heard  # type: ignore[method-assign] # loggers have no other place
    logging.Logger.handle = hear_and_handle  # type: ignore[method-assign] # as above


# What is secret.


def _hear_request(ledger: Ledger, request: Any, _methods: object) -> None:
    for name, value in request.headers:
        lower = name.lower()
        if lower == b"authorization" and ledger.may_make(value, 1):
            ledger.keep_credentials(value)
        elif lower == b"dpop":
            ledger.keep("DPoP proof", value.strip())
    for form in (request.query, request.form):
        if form and ledger.may_make(form, 1):
            ledger.keep_form(form)


def _hear_client(ledger: Ledger, client: client_auth.ClientCredentials, **_: object) -> None:
    ledger.keep("client_secret", client.secret)


def _hear_question(ledger: Ledger, question: Any) -> None:
    if ledger.may_make(question.body, 1):
        ledger.keep_form(question.body)
    for name, value in question.headers:
        if name == "authorization":
            ledger.keep_credentials(value)


def _hear_grant(ledger: Ledger, answer: object) -> None:
    if isinstance(answer, token_request.GrantedToken):
        ledger.keep("granted token", answer.value)


def _hear_answer(ledger: Ledger, _state: object, response: Any) -> None:
    if response.media_type == "application/token-introspection+jwt":
        ledger.keep("signed answer", response.body)


def _hear_decrypted(ledger: Ledger, _jwe: object, content: bytes, _typ: object) -> None:
    ledger.keep("decrypted content", content)


def _hear_options(ledger: Ledger, _self: object, **options: Any) -> None:
    for name, value in options.items():
        reveal = getattr(value, "get_secret_value", None)
        text = value if reveal is None else reveal()
        if not isinstance(text, str):
            continue
        if name in _SECRETS:
            ledger.keep(name, text)
        elif name in _KEYS:
            ledger.keep_key(name, text)
        elif name == "cache_url":
            ledger.keep("password", _password(text))


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def _hear_vault(ledger: Ledger, _self: object, secret: bytes, *_: object, **__: object) -> None:
    ledger.keep_bytes("secret of the store", secret)


def _hear_nonces(ledger: Ledger, _self: object, secret: bytes, *_: object, **__: object) -> None:
    ledger.keep_bytes("secret of nonces", secret)


# What others can read.


def _read_record(ledger: Ledger, record: logging.LogRecord) -> None:
    text = f"{record.getMessage()} {record.args!r}"
    if record.exc_info and record.exc_info[0] is not None:
        text += "".join(traceback.format_exception(*record.exc_info))
    ledger.see(f"the log of {record.name}", text)


def _read_response(ledger: Ledger, response: problem.ErrorResponse) -> None:
    ledger.see("a response", f"{response.headers!r} {response.body!r}")


def _read_event(ledger: Ledger, _observer: object, event: object) -> None:
    ledger.see("an event", repr(event))


def _read_principal(ledger: Ledger, whom: principal.Principal, _tie: object) -> None:
    ledger.told |= {name for name in (whom.subject, whom.client_id, whom.token_id) if name}
    if ledger.may_make("principal"):
        ledger.see("the text of a principal", f"{whom!r} {whom}")


def _read_settings(ledger: Ledger, options: settings.Settings) -> None:
    if ledger.may_make("settings", 5):
        ledger.see("the text of settings", f"{options!r} {options.model_dump()!r}")


def _read_facade(ledger: Ledger, server: object) -> None:
    ledger.see("the text of a server", f"{server!r} {server}")


def _read_error(ledger: Ledger, _self: object, *args: object) -> None:
    ledger.see("an exception", repr(args))


def _read_refusal(ledger: Ledger, _self: object, error: errors.BearerTokenError, *_rest: object) -> None:
    """Read what hangs on a refusal; and once for each kind of it, what the frames it came through hold."""
    kind = (type(error), getattr(error, "reason", None))
    if not ledger.may_make(kind, 1):
        return
    for link in chain(error):
        ledger.see("a refusal", f"{link!r} {link} {getattr(link, '__notes__', ())!r}")
        for frame, _ in traceback.walk_tb(link.__traceback__):
            _read_frame(ledger, frame)
    for frame, _ in traceback.walk_stack(sys._getframe()):
        _read_frame(ledger, frame)


def _read_frame(ledger: Ledger, frame: FrameType) -> None:
    code = frame.f_code
    if "/resource_server/" not in code.co_filename:
        return
    for name in set(frame.f_locals) - _FRAMEWORKS:
        value = frame.f_locals[name]
        ledger.see(f"{name} in {code.co_qualname}", repr(value))
