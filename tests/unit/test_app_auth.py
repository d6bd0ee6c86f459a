"""Nobody but the person who was shown the address gets to the app, however the request is made up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest

from antrax.app.auth import LARGEST_BODY, Guard, guarded, is_loopback

TOKEN = "the-token"
HOST = "127.0.0.1:8090"
SIGNED_IN = [("Authorization", f"token {TOKEN}")]
CHANGE = [*SIGNED_IN, ("X-Antrax", "1"), ("Content-Type", "application/json")]


class App:
    """Answers everything with what it was asked, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, scope, receive, send) -> None:
        self.asked.append(scope.get("path", scope["type"]))
        body = b""
        while scope["type"] == "http":
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["type"] == "http":
            headers = [(b"x-length", str(len(body)).encode()), (b"x-frame-options", b"ALLOWALL")]
            if scope["path"] == "/sheet":
                headers.append((b"cache-control", b"private, max-age=60"))
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"the app"})


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def guard(app) -> Guard:
    return guarded(app, 8090, TOKEN)


def ask(guard, path="/", headers=(), method="GET", body=None, host=HOST) -> httpx.Response:
    async def run() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url=f"http://{HOST}") as client:
            given = [*headers] if host is None else [("Host", host), *headers]
            return await client.request(method, f"http://{HOST}{path}", headers=given, content=body)

    return asyncio.run(run())


def sign_in(guard) -> str:
    """The cookie that the printed address gives."""
    return ask(guard, f"/?token={TOKEN}").headers["set-cookie"].partition(";")[0]


async def _pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(0, size, 2**20):
        yield bytes(2**20)


# --- signing in


def test_without_token_nothing_is_shown_but_where_to_find_it(guard, app):
    answer = ask(guard)
    assert answer.status_code == 403
    assert "printed in the terminal" in answer.text
    assert TOKEN not in answer.text
    assert "set-cookie" not in answer.headers
    assert app.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/?token=wrong",
        "/?token=",
        f"/?token={TOKEN}x",
        f"/?token={TOKEN}&token={TOKEN}",
        "/?token=%C3%A4",
        f"/api/places?token={TOKEN}",
        f"/?x={'&x='.join(map(str, range(30)))}&token={TOKEN}",
    ],
)
def test_a_wrong_token_or_one_at_the_wrong_place_does_not_open(guard, app, path):
    answer = ask(guard, path)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert app.asked == []


def test_the_token_is_exchanged_for_a_cookie_and_leaves_the_address_bar(guard, app):
    answer = ask(guard, f"/?token={TOKEN}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("antrax-8090=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    assert ask(guard, headers=[("Cookie", f"other=1; {sign_in(guard)}")]).text == "the app"
    assert app.asked == ["/"]


def test_coming_from_a_link_on_another_page_one_is_brought_to_a_page_of_the_app_first(guard):
    """After a redirect the browser would still withhold the cookie."""
    answer = ask(guard, f"/?token={TOKEN}", [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")])
    assert answer.status_code == 200
    assert 'content="0; url=/"' in answer.text
    assert TOKEN not in answer.text
    assert answer.headers["set-cookie"].startswith("antrax-8090=")


@pytest.mark.parametrize("cookie", ["antrax-8090=", "antrax-8090=wrong", "antrax-8090", "antrax-8090=\xe4", ";;="])
def test_a_wrong_cookie_does_not_open(guard, app, cookie):
    assert ask(guard, headers=[("Cookie", cookie.encode("latin-1"))]).status_code == 403
    assert app.asked == []


def test_the_cookie_of_an_app_at_another_port_does_not_open_this_one(app, guard):
    other = guarded(app, 8091, "other")
    cookie = ask(other, "/?token=other").headers["set-cookie"].partition(";")[0]
    assert ask(guard, headers=[("Cookie", cookie)]).status_code == 403
    assert ask(guard, headers=[("Cookie", cookie.replace("8091", "8090"))]).status_code == 403


def test_a_cookie_of_the_same_name_set_by_another_server_locks_nobody_out(guard):
    assert ask(guard, headers=[("Cookie", f"antrax-8090=junk; {sign_in(guard)}")]).text == "the app"


def test_scripts_may_send_the_token_as_a_header(guard):
    assert ask(guard, headers=SIGNED_IN).text == "the app"
    assert ask(guard, headers=[("Authorization", "token wrong")]).status_code == 403
    assert ask(guard, headers=[("Authorization", f"Basic {TOKEN}")]).status_code == 403
    assert ask(guard, headers=[("Authorization", "token \xe4".encode("latin-1"))]).status_code == 403


def test_an_invitation_works_once(guard):
    invitation = guard.invite()
    assert ask(guard, f"/?token={invitation}").status_code == 303
    assert ask(guard, f"/?token={invitation}").status_code == 403


def test_looking_at_the_headers_of_an_invitation_does_not_use_it_up(guard):
    invitation = guard.invite()
    assert ask(guard, f"/?token={invitation}", method="HEAD").status_code == 403
    assert ask(guard, f"/?token={invitation}").status_code == 303


# --- who is asking


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8090", "localhost:8090", "LOCALHOST:8090", "[::1]:8090", "localhost:9000", "localhost"]
)
def test_the_app_answers_under_all_names_of_the_loopback_address_at_any_end_of_a_tunnel(guard, host):
    assert ask(guard, headers=SIGNED_IN, host=host).text == "the app"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8090",
        "127.0.0.1.evil.example:8090",
        "localhost.evil.example",
        "evil.example:127.0.0.1:8090",
        "127.0.0.1:8090:evil.example",
        "localhost:",
        "localhost@evil.example",
        "10.0.0.1:8090",
        "[::1",
        "",
        "\xe4",
    ],
)
def test_another_name_that_points_here_is_refused_even_with_the_token(guard, app, host):
    answer = ask(guard, f"/?token={TOKEN}", SIGNED_IN, host=host.encode("latin-1"))
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert app.asked == []


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://evil.example:8090",
        "null",
        "",
        "http://127.0.0.1:3000",
        "http://localhost:8090",
        "127.0.0.1:8090",
        "file://127.0.0.1:8090",
        f"http://{HOST}.evil.example",
        f"http://{HOST}/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_other_origins_are_refused_even_with_the_cookie(guard, app, origin, method):
    headers = [("Cookie", sign_in(guard)), *CHANGE[1:], ("Origin", origin)]
    assert ask(guard, "/api/places", headers, method, b"{}" if method == "POST" else None).status_code == 403
    assert app.asked == []


@pytest.mark.parametrize("origin", [f"http://{HOST}", f"https://{HOST}"])
def test_the_own_page_is_let_through(guard, origin):
    headers = [*CHANGE, ("Origin", origin), ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors")]
    assert ask(guard, "/api", headers, "POST", b"{}").text == "the app"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_images_and_scripts_on_other_pages_get_nothing_but_a_link_works(guard, site):
    headers = [*SIGNED_IN, ("Sec-Fetch-Site", site)]
    assert ask(guard, headers=[*headers, ("Sec-Fetch-Mode", "no-cors")]).status_code == 403
    assert ask(guard, headers=headers).status_code == 403
    assert ask(guard, headers=[*headers, ("Sec-Fetch-Mode", "navigate")]).text == "the app"
    form = [*CHANGE, ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate")]
    assert ask(guard, headers=form, method="POST", body=b"{}").status_code == 403


@pytest.mark.parametrize(
    "twice",
    [
        ("Host", HOST),
        ("Host", "evil.example"),
        ("Authorization", f"token {TOKEN}"),
        ("Cookie", "a=b"),
        ("Origin", f"http://{HOST}"),
        ("X-Antrax", "1"),
        ("Content-Type", "text/plain"),
        ("Sec-Fetch-Site", "same-origin"),
    ],
)
def test_a_header_that_decides_may_not_come_twice(guard, app, twice):
    headers = [*CHANGE, ("Origin", f"http://{HOST}"), ("Cookie", "c=d"), ("Sec-Fetch-Site", "none"), twice]
    assert ask(guard, "/api", headers[:-1], "POST", b"{}").status_code == 200
    assert ask(guard, "/api", headers, "POST", b"{}").status_code == 400
    assert app.asked == ["/api"]


@pytest.mark.parametrize("signed_in", [False, True])
def test_websockets_are_refused(guard, app, signed_in):
    headers = [(b"host", HOST.encode())] + [(b"cookie", sign_in(guard).encode())] * signed_in
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    asyncio.run(guard({"type": "websocket", "path": "/", "headers": headers}, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]
    assert sent[0]["code"] == 1008
    assert app.asked == []


def test_a_request_to_speak_otherwise_from_now_on_is_refused_too(guard, app):
    for protocol in ("websocket", "h2c"):
        assert ask(guard, headers=[*SIGNED_IN, ("Connection", "Upgrade"), ("Upgrade", protocol)]).status_code == 400
    assert app.asked == []


def test_starting_and_ending_is_the_apps_own_matter(guard, app):
    asyncio.run(guard({"type": "lifespan"}, None, None))
    assert app.asked == ["lifespan"]


# --- what is asked


@pytest.mark.parametrize(
    "headers",
    [
        [*SIGNED_IN, ("Content-Type", "application/json")],
        [*SIGNED_IN, ("Content-Type", "application/json"), ("X-Antrax", "0")],
        [*SIGNED_IN, ("X-Antrax", "1")],
        [*SIGNED_IN, ("X-Antrax", "1"), ("Content-Type", "text/plain")],
        [*SIGNED_IN, ("X-Antrax", "1"), ("Content-Type", "application/x-www-form-urlencoded")],
    ],
)
def test_what_a_form_can_send_changes_nothing(guard, app, headers):
    assert ask(guard, "/api/export", headers, "POST", b"{}").status_code == 403
    assert app.asked == []


def test_a_change_without_having_signed_in_is_refused(guard, app):
    assert ask(guard, "/api/export", CHANGE[1:], "POST", b"{}").status_code == 403
    assert app.asked == []


def test_a_change_arrives_whole(guard):
    size = LARGEST_BODY - 5
    headers = [*CHANGE[:-1], ("Content-Type", "application/json; charset=utf-8")]
    assert ask(guard, "/api", headers, "POST", bytes(size)).headers["x-length"] == str(size)
    assert ask(guard, "/api", headers, "POST", _pieces(3 * 2**20)).headers["x-length"] == str(3 * 2**20)
    assert ask(guard, "/api", headers, "POST", b"").headers["x-length"] == "0"


def test_a_body_that_says_it_is_huge_is_not_even_read(guard, app):
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("was read")
        yield b""

    for length in (str(LARGEST_BODY + 1), "9" * 5000, "-1", "1e3", "²"):
        headers = [*CHANGE, ("Content-Length", length.encode())]
        assert ask(guard, "/api", headers, "POST", never()).status_code == 413, length
    assert app.asked == []


def test_a_body_that_does_not_say_how_huge_it_is_is_cut_off(guard, app):
    assert ask(guard, "/api", CHANGE, "POST", _pieces(LARGEST_BODY + 2**20)).status_code == 413
    short = [*CHANGE, ("Content-Length", "2")]
    assert ask(guard, "/api", short, "POST", _pieces(LARGEST_BODY + 2**20)).status_code == 413
    assert app.asked == []


def test_somebody_who_has_not_signed_in_cannot_fill_the_memory(guard):
    read = []

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            read.append(1)
            yield bytes(2**20)

    assert ask(guard, "/api", CHANGE[1:], "POST", pieces()).status_code == 403
    assert read == []


def test_a_request_that_breaks_off_does_not_reach_the_app(guard, app):
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0)

    async def send(message):
        raise AssertionError(message)

    headers = [(b"host", HOST.encode())] + [(n.lower().encode(), v.encode()) for n, v in CHANGE]
    scope = {"type": "http", "method": "POST", "path": "/api", "query_string": b"", "headers": headers}
    asyncio.run(guard(scope, receive, send))
    assert app.asked == []


def test_a_question_has_no_body(guard, app):
    assert ask(guard, headers=SIGNED_IN, body=b"{}").status_code == 400
    assert ask(guard, headers=SIGNED_IN, body=_pieces(2**20)).status_code == 400
    assert app.asked == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_there_are_no_other_methods_not_even_for_those_signed_in(guard, app, method):
    answer = ask(guard, "/api", CHANGE, method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert app.asked == []


def test_head_needs_the_same_as_get(guard, app):
    answer = ask(guard, method="HEAD")
    assert (answer.status_code, answer.text) == (403, "")
    assert ask(guard, headers=SIGNED_IN, method="HEAD").status_code == 200


@pytest.mark.parametrize("path", ["//evil.example", "//evil.example/%2e%2e", "/%2Fevil.example", "/a\\b", "/a%00b"])
def test_odd_paths_lead_nowhere(guard, app, path):
    for headers in ([], SIGNED_IN):
        answer = ask(guard, f"{path}?token={TOKEN}", headers)
        assert answer.status_code == 404
        assert "location" not in answer.headers
    assert app.asked == []


# --- what is answered


@pytest.mark.parametrize("headers", [[], SIGNED_IN, [("Host", "evil.example")]])
def test_every_answer_tells_the_browser_to_be_strict(guard, headers):
    answer = ask(guard, headers=headers, host=None if headers and headers[0][0] == "Host" else HOST)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers.get_list("x-frame-options") == ["DENY"]  # whatever the app says
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


def test_an_answer_may_say_itself_how_long_it_keeps(guard):
    assert ask(guard, "/sheet", SIGNED_IN).headers.get_list("cache-control") == ["private, max-age=60"]


def test_a_pages_script_is_refused_in_json(guard):
    answer = ask(guard, "/api/places")
    assert answer.status_code == 403
    assert "printed in the terminal" in json.loads(answer.text)["error"]


# --- other hosts


def test_at_a_name_of_the_network_the_app_answers_under_that_and_the_machines_names(app):
    guard = guarded(app, 8090, TOKEN, "Lab.example", frozenset({"Machine", "machine.local"}))
    for host in ("lab.example:8090", "machine:8090", "MACHINE.local", "localhost:8090"):
        assert ask(guard, headers=SIGNED_IN, host=host).text == "the app"
    for host in ("evil.example:8090", "10.0.0.1:8090"):
        assert ask(guard, headers=SIGNED_IN, host=host).status_code == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "fe80::1"])
def test_at_addresses_of_the_network_any_address_will_do_but_no_name(app, host):
    guard = guarded(app, 8090, TOKEN, host)
    for called in ("192.168.1.5:8090", "[fe80::1]:8090", "localhost:8090"):
        assert ask(guard, headers=SIGNED_IN, host=called).text == "the app"
    assert ask(guard, headers=SIGNED_IN, host="evil.example:8090").status_code == 403
    assert ask(guard, headers=SIGNED_IN, host="1.evil.example:8090").status_code == 403


def test_which_hosts_the_network_cannot_reach():
    assert [host for host in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost") if not is_loopback(host)] == []
    assert [host for host in ("0.0.0.0", "::", "10.0.0.1", "lab.example", "") if is_loopback(host)] == []
