"""Coming back from somebody else's sign-in page: state bound to the browser, codes good once but heard twice. PROTOCOLS 1.8.

The state is a random number: WeChat lets only letters and digits through. What it stands for (which way, where to
go afterwards) is in a signed cookie that lives ten minutes, so a code slipped to somebody else's browser opens
nothing. A client may post the same code twice, because the first answer was lost: the platform's answer is kept,
sealed, for two minutes, and the second try gets it instead of a refusal.
"""

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from flask import Response, request
from itsdangerous import BadData, URLSafeTimedSerializer

from campus.sessions import Known
from core import crypto, ids
from core.errors import Forbidden, NotFound, Refused
from core.house import house
from models.people import IdentityKind

COOKIE = "houqin_oauth"
STATE_LIVES_S = 600
CODE_REMEMBERED_S = 120
HOME = "/m/"
NOTHING: Mapping[str, str] = MappingProxyType({})
_INSIDE = re.compile(r"^/m/(?:[?#][!-~]*)?$")


class LoginRefused(Forbidden):
    code, text = "login_refused", "登录凭证已失效，请重新进入"


class StateLost(Forbidden):
    code, text = "state_lost", "登录已超时或不是在本机发起的，请重新进入"


class PlatformOff(NotFound):
    code, text = "platform_off", "学校没有开通这种登录方式"


class Journey(NamedTuple):
    """Where somebody wants to be after signing in, and what was put aside when they left."""

    to: str
    kept: dict[str, str]


def switched_on(platform: Any) -> Any:
    """The platform. Raises PlatformOff when its section is absent from the config."""
    if platform is None:
        raise PlatformOff()
    return platform


def inside(to: str | None) -> str:
    """The address if it is one of our own client, else the client's first page: nobody is sent elsewhere from here."""
    return to if to and _INSIDE.match(to) and "\\" not in to else HOME


def new_state() -> str:
    """A state nobody can guess, of letters and digits."""
    return ids.letters(24)


def set_out(answer: Response, way: str, state: str, *, to: str | None, kept: Mapping[str, str] = NOTHING) -> Response:
    """The answer, with what the state stands for in the browser's cookie."""
    answer.set_cookie(
        f"{COOKIE}_{way}",
        str(_signer(way).dumps([state, inside(to), dict(kept)])),
        max_age=STATE_LIVES_S,
        path="/api/v1/login",
        httponly=True,
        secure=house().config.server.base_url.startswith("https://"),
        samesite="Lax",
    )
    return answer


def came_back(way: str, state: str) -> Journey:
    """The journey that began in this browser under that state. Raises StateLost."""
    try:
        expected, to, kept = _signer(way).loads(request.cookies.get(f"{COOKIE}_{way}", ""), max_age=STATE_LIVES_S)
    except (BadData, ValueError, TypeError):
        raise StateLost() from None
    if not crypto.same(str(expected), state):
        raise StateLost()
    return Journey(inside(to), kept)


def once(way: str, code: str, ask: Callable[[], Known]) -> Known:
    """What the platform says the code stands for; the same answer when the code comes again. Raises LoginRefused."""
    cache, key = house().cache, f"login:{way}:{crypto.hash_token(code)[:40]}"
    with cache.lock(key, hold_s=15, wait_s=10):
        if kept := cache.get(key):
            said = json.loads(crypto.unseal(kept))
            return Known(IdentityKind(said["kind"]), said["subject"], said["unionid"], snapshot=said["snapshot"])
        try:
            known = ask()
        except Refused as why:
            raise LoginRefused(way=way, answer=why.code) from None
        said = {"kind": known.kind, "subject": known.subject, "unionid": known.unionid, "snapshot": known.snapshot}
        cache.put(key, crypto.seal(json.dumps(said)), ttl_s=CODE_REMEMBERED_S)
    return known


def _signer(way: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(house().config.server.secret_key.get_secret_value(), salt=f"oauth:{way}")
