"""Authentication, CSRF and DNS-rebinding protection: only those who know the printed address can use the app.

A web server on the loopback address can be reached by every user of the machine, and by every web page that a
browser on it has open. Against the first stands a secret: the printed address carries a token, which is exchanged
for a cookie at the first visit, as Jupyter does. Against the second:

- a page of another site that has its own name point to this machine (DNS rebinding) sends that name as ``Host``;
- a page of another site, or of another server on this machine, is given away by ``Origin`` and ``Sec-Fetch-Site``,
  and cannot send the header ``X-Antrax`` that every change needs.

Ports of ``Host`` do not matter: behind an SSH tunnel, the browser sees any. A request's ``Origin`` must be its own
``Host``, port included.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import threading
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
# The largest sensible request names the frames of a long tracklet, or the files of a label's gallery.
LARGEST_BODY = 8 * 2**20
_METHODS = ("GET", "HEAD", "POST")
# Headers that decide on access; if one is sent twice, different readers may use different values.
_SINGLE = (
    *(b"host", b"origin", b"cookie", b"authorization", b"x-antrax"),
    *(b"content-type", b"content-length", b"transfer-encoding", b"sec-fetch-site", b"sec-fetch-mode"),
)
_SECURITY = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; "
    b"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
_NOT_SIGNED_IN = (
    "This address alone does not open antrax: use the whole one, with its token, that `antrax extract-trainset` "
    "printed in the terminal. It is another one each time that antrax is started."
)


class Guard:
    """ASGI middleware that lets through only what the person's own browser asks for on the app's own pages.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    token : str
        Opens the app: as ``/?token=…`` in the address, or in a header ``Authorization: token …``.
    hosts : frozenset of str
        Names and addresses, in lower case and without port, under which the app may be called.
    cookie : str
        Name of the cookie. Browsers send cookies to all ports of a machine, so it should hold the port.
    any_address : bool
        Whether the app may be called under any numeric address too. That is safe from DNS rebinding, which needs a
        name.
    """

    def __init__(
        self, app: ASGIApp, token: str, hosts: frozenset[str], cookie: str, *, any_address: bool = False
    ) -> None:
        self._app, self._token, self._hosts, self._cookie = app, token, hosts, cookie
        self._any_address = any_address
        # a second secret: who sees the cookie later does not have the address, and the other way round
        self._secret = secrets.token_urlsafe(32)
        self._invitations: set[str] = set()
        self._lock = threading.Lock()

    def invite(self) -> str:
        """A token for the address that works once.

        For starting a browser: other users of the machine see its command line, address included, but come too late.
        """
        invitation = secrets.token_urlsafe(24)
        with self._lock:
            self._invitations.add(invitation)
        return invitation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        elif scope["type"] == "http":
            await self._http(scope, receive, _with_security_headers(send))

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        count = Counter(name for name, _ in scope["headers"])
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if any(count[name] > 1 for name in _SINGLE):
            await _refuse(scope, send, 400, "A header that must be there once was sent twice.")
        elif not self._may_be_called(headers.get(b"host", "")):
            await _refuse(scope, send, 403, "antrax is not to be reached under this name; use the printed address.")
        elif b"upgrade" in headers:
            await _refuse(scope, send, 400, "antrax speaks plain HTTP only.")
        elif scope["method"] not in _METHODS:
            await _refuse(scope, send, 405, "There is nothing to do so here.", {b"allow": ", ".join(_METHODS).encode()})
        elif not _from_own_page(scope["method"], headers):
            await _refuse(scope, send, 403, "Pages of other sites may not use antrax.")
        elif scope["path"].startswith("//") or "\\" in scope["path"] or "\0" in scope["path"]:
            await _refuse(scope, send, 404, "There is nothing here.")
        elif self._opens(scope):
            await self._let_in(headers, send)
        elif not self._signed_in(headers):
            await _refuse(scope, send, 403, _NOT_SIGNED_IN)
        elif scope["method"] != "POST":
            if headers.get(b"content-length", "0") != "0" or b"transfer-encoding" in headers:
                await _refuse(scope, send, 400, f"A {scope['method']} request has no body.")
            else:
                await self._app(scope, receive, send)
        elif headers.get(b"x-antrax") != "1" or not _is_json(headers.get(b"content-type", "")):
            await _refuse(scope, send, 403, "Changes are made from the app's own pages only.")
        else:
            await self._post(scope, headers, receive, send)

    def _may_be_called(self, host: str) -> bool:
        name = _without_port(host.lower())
        return name in self._hosts or (self._any_address and _is_address(name))

    def _opens(self, scope: Scope) -> bool:
        """Whether the address carries a token that is right; one that works once is used up."""
        if scope["method"] != "GET" or scope["path"] != "/":
            return False
        try:
            values = parse_qs(scope["query_string"].decode("ascii"), max_num_fields=10).get("token", [])
        except ValueError:  # not ASCII, or far too many fields
            return False
        if len(values) != 1:
            return False
        if _same(values[0], self._token):
            return True
        with self._lock:
            invited = {invitation for invitation in self._invitations if _same(values[0], invitation)}
            self._invitations -= invited
        return bool(invited)

    async def _let_in(self, headers: dict[bytes, str], send: Send) -> None:
        cookie = f"{self._cookie}={self._secret}; HttpOnly; SameSite=Strict; Path=/"
        extra = {b"set-cookie": cookie.encode("latin-1")}
        if headers.get(b"sec-fetch-site") == "cross-site":
            # A redirect would still count as coming from the other page, from whose links (a terminal in a browser,
            # say) the cookie is withheld. From a page of our own it is not.
            page = _page('<meta http-equiv="refresh" content="0; url=/">', '<a href="/">antrax</a>')
            await _answer(send, 200, page, "text/html", extra)
        else:
            await _answer(send, 303, "", "text/plain", extra | {b"location": b"/"})

    def _signed_in(self, headers: dict[bytes, str]) -> bool:
        scheme, _, token = headers.get(b"authorization", "").partition(" ")
        if scheme.lower() == "token" and _same(token.strip(), self._token):
            return True
        pairs = (pair.strip().partition("=") for pair in headers.get(b"cookie", "").split(";"))
        # another server on this machine may have set one of the same name; that must not lock anybody out
        return any(name == self._cookie and _same(value, self._secret) for name, _, value in pairs)

    async def _post(self, scope: Scope, headers: dict[bytes, str], receive: Receive, send: Send) -> None:
        """Pass on a request once its whole body has arrived, which limits its size."""
        announced = headers.get(b"content-length", "0")
        if not announced.isdecimal() or int(announced[:20]) > LARGEST_BODY:
            await _refuse(scope, send, 413, "This is more than antrax takes at once.")
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # gone before the end
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > LARGEST_BODY:
                await _refuse(scope, send, 413, "This is more than antrax takes at once.")
                return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replay, send)


def guarded(app: ASGIApp, port: int, token: str, host: str = "127.0.0.1", names: frozenset[str] = frozenset()) -> Guard:
    """Put the guard before an app that is served at a port.

    Parameters
    ----------
    app : ASGI application
    port : int
        Tells the cookies of several apps on one machine apart.
    token : str
    host : str
        Address that the app is bound to.
    names : frozenset of str
        Further names of this machine; used where `host` is not the loopback address.
    """
    own = f"[{host}]" if ":" in host else host
    if is_loopback(host):
        return Guard(app, token, LOOPBACK | {own.lower()}, f"antrax-{port}")
    hosts = LOOPBACK | {own.lower()} | {name.lower() for name in names}
    return Guard(app, token, hosts, f"antrax-{port}", any_address=_is_address(own))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what is bound to an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _same(given: str, secret: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), secret.encode())


def _without_port(host: str) -> str:
    """The name in a Host header; an IPv6 address keeps its brackets. Empty where the port is no number."""
    end = host.rfind(":", host.rfind("]") + 1)
    if end < 0:
        return host
    return host[:end] if host[end + 1 :].isdecimal() else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
    except ValueError:
        return False
    return True


def _from_own_page(method: str, headers: dict[bytes, str]) -> bool:
    """Whether a page of the app asked, or the person by typing or following an address."""
    origin, host = headers.get(b"origin"), headers[b"host"]
    if origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
        return False
    if headers.get(b"sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    return method == "GET" and headers.get(b"sec-fetch-mode") == "navigate"


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _with_security_headers(send: Send) -> Send:
    async def send_safely(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(name, value) for name, value in message.get("headers", []) if name.lower() not in _SECURITY]
            if not any(name.lower() == b"cache-control" for name, _ in own):
                own.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*own, *_SECURITY.items()]}
        await send(message)

    return send_safely


def _page(head: str, body: str) -> str:
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>antrax</title>{head}<p>{body}</p></html>\n'


async def _refuse(
    scope: Scope, send: Send, status: int, sentence: str, extra: dict[bytes, bytes] | None = None
) -> None:
    """Refuse a request: JSON for a page's script, a small page for a person. The connection is closed."""
    headers = {b"connection": b"close"} | (extra or {})
    if scope["method"] == "HEAD":
        await _answer(send, status, "", "text/plain", headers)
    elif scope["path"].startswith("/api/"):
        await _answer(send, status, json.dumps({"error": sentence}), "application/json", headers)
    else:
        await _answer(send, status, _page("", sentence), "text/html", headers)


async def _answer(send: Send, status: int, text: str, kind: str, extra: dict[bytes, bytes]) -> None:
    body = text.encode()
    headers = {b"content-type": f"{kind}; charset=utf-8".encode(), b"content-length": str(len(body)).encode()} | extra
    await send({"type": "http.response.start", "status": status, "headers": list(headers.items())})
    await send({"type": "http.response.body", "body": body})
