"""Cookies as the site sets them, where HTTPS is in use and where it is not."""

from pathlib import Path

import pytest

from .platform import PASSWORD, site

BODY = {"member_id": "minji", "password": PASSWORD, "cookie": True}


@pytest.mark.parametrize(("cookie_secure", "prefix"), [(0, ""), (1, "__Host-")])
async def test_cookies_are_for_https_only_where_a_setting_says_so(
    tmp_path: Path, cookie_secure: int, prefix: str
) -> None:
    async with site(tmp_path, cookie_secure=cookie_secure) as here:
        await here.member("minji")
        opened = await here.call("POST", "session", BODY)
        assert opened.status_code == 201
        session, device = opened.headers.get_list("set-cookie")
        assert session.startswith(f"{prefix}jigap_session=")
        assert device.startswith(f"{prefix}jigap_device=")
        for one in (session, device):
            assert ("; Secure" in one) == bool(cookie_secure)
        pair = session.partition(";")[0]
        here.http.cookies.clear()
        me = await here.call("GET", "me", Cookie=pair)
        assert me.json()["member_id"] == "minji"
        assert (await here.call("HEAD", "me", Cookie=pair)).status_code == 200
        planted = pair.removeprefix("__Host-")
        seen = await here.call("GET", "me", Cookie=planted)
        assert seen.status_code == (401 if cookie_secure else 200)
        refused = await here.call("DELETE", "session", Cookie=pair)
        assert (refused.status_code, refused.json()["code"]) == (403, "csrf_missing")
        token = opened.json()["csrf_token"]
        out = await here.call("DELETE", "session", Cookie=pair, X_CSRF_Token=token)
        assert out.status_code == 204
        cleared = out.headers.get_list("set-cookie")
        assert {one.partition("=")[0] for one in cleared} == {
            "__Host-jigap_session",
            "jigap_session",
        }
        assert all("Max-Age=0" in one for one in cleared)


async def test_the_device_cookie_is_read_at_the_next_sign_in(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.member("minji")
        first = await here.call("POST", "session", BODY)
        home = first.cookies["jigap_device"]
        for _ in range(12):
            here.http.cookies.clear()
            await here.call("POST", "session", BODY | {"password": "wrong password"})
        here.http.cookies.clear()
        stranger = await here.call("POST", "session", BODY)
        assert (stranger.status_code, stranger.json()["code"]) == (429, "sign_in_wait")
        known = await here.call("POST", "session", BODY, Cookie=f"jigap_device={home}")
        assert known.status_code == 201
        assert known.cookies["jigap_device"] == home


async def test_the_session_of_a_replaced_cookie_ends(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.member("minji")
        old = (await here.call("POST", "session", BODY)).cookies["jigap_session"]
        assert (await here.call("POST", "session", BODY)).status_code == 201
        here.http.cookies.clear()
        ended = await here.call("GET", "me", Cookie=f"jigap_session={old}")
        assert (ended.status_code, ended.json()["code"]) == (401, "session_missing")


async def test_a_session_ends_by_itself_when_it_is_not_used(tmp_path: Path) -> None:
    async with site(tmp_path, session_idle_s=60) as here:
        token = await here.member("minji")
        for _ in range(4):
            here.clock.advance(50_000)
            assert (await here.call("GET", "me", token=token)).status_code == 200
        here.clock.advance(60_000)
        ended = await here.call("GET", "me", token=token)
        assert (ended.status_code, ended.json()["code"]) == (401, "session_missing")
