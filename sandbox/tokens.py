"""access_token: who gave it out, how long it is good, and when two are good at once.

PROTOCOLS 1.10: `/cgi-bin/token` gives a new one each time and the one before stays good for five
minutes; `/cgi-bin/stable_token` gives the same one until shortly before its end, and each of the two
doors keeps its own. WeCom has one token per corp and secret (3.1).
"""

from flask import Blueprint, request

from sandbox.answers import Refusal, api, body
from sandbox.settings import Account
from sandbox.world import Row, World

LIFE_S = 7200
OVERLAP_S = 300

wechat_tokens = Blueprint("wechat_tokens", __name__)


def mint(w: World, account: Account, slot: str, *, overlap_s: int = OVERLAP_S) -> Row:
    """A new token in this slot; the ones before it end after the overlap."""
    now = w.clock.second()
    w.store.run(
        "update token set dead_at = min(coalesce(dead_at, ?), ?) where account = ? and slot = ? and expires_at > ?",
        *(now + overlap_s, now + overlap_s, account.name, slot, now),
    )
    number = w.dice.number("token")
    token = f"{number}_" + w.dice.text("access_token", 120 if not account.wecom else 180)
    w.store.run(
        "insert into token (token, account, slot, issued_at, expires_at) values (?,?,?,?,?)",
        *(token, account.name, slot, now, now + LIFE_S),
    )
    return {"access_token": token, "expires_in": LIFE_S}


def newest(w: World, account: Account, slot: str) -> Row | None:
    """The token of this slot that nothing has replaced."""
    return w.store.one(
        "select * from token where account = ? and slot = ? and dead_at is null and expires_at > ?"
        " order by issued_at desc, rowid desc limit 1",
        *(account.name, slot, w.clock.second()),
    )


def kill(w: World, token: str) -> None:
    """Somebody else refreshed: this token is worth nothing any more, another one is the latest."""
    with w.store.deed():
        row = w.store.one("select * from token where token = ?", token)
        account = w.account(row["account"]) if row else None
        if row and account:
            now = w.clock.second()
            if row["dead_at"] is None:
                mint(w, account, row["slot"], overlap_s=0)
            w.store.run("update token set dead_at = ? where token = ?", now, token)


def bearer(w: World, *names: str) -> Account:
    """The account whose token stands in the query. `names`: whose token this call accepts."""
    token = request.args.get("access_token", "")
    if not token:
        raise Refusal(41001)
    wecom = names[0].startswith("wecom")
    row = w.store.one("select * from token where token = ?", token)
    now = w.clock.second()
    if row is None or row["account"].startswith("wecom") != wecom:
        raise Refusal(40014 if wecom else 40001)
    if row["dead_at"] is not None and now >= row["dead_at"]:
        raise Refusal(40014 if wecom else 40001)
    if now >= row["expires_at"]:
        raise Refusal(42001)
    if row["account"] not in names:
        raise Refusal(48002 if wecom else 48001)
    if w.over(f"{row['account']}:{request.path}", "api_per_minute", w.clock.minute()):
        raise Refusal(45011)
    account = w.account(row["account"])
    if account is None:
        raise Refusal(40013)
    return account


def _who(w: World, app_id: str, secret: str) -> Account:
    if not app_id:
        raise Refusal(41002)
    if not secret:
        raise Refusal(41004)
    account = w.account_by_app_id(app_id)
    if account is None:
        raise Refusal(40013)
    if account.secret != secret:
        raise Refusal(40125)
    return account


@wechat_tokens.get("/cgi-bin/token")
@api
def token(w: World) -> Row:
    """A new token; the previous one stays good for five minutes."""
    if request.args.get("grant_type") != "client_credential":
        raise Refusal(40002)
    account = _who(w, request.args.get("appid", ""), request.args.get("secret", ""))
    if w.over(f"token:{account.name}", "token_daily", w.clock.day()):
        raise Refusal(45009)
    return mint(w, account, "plain")


@wechat_tokens.get("/cgi-bin/stable_token")
@api
def stable_token_by_get(w: World) -> Row:
    """Only POST is answered."""
    raise Refusal(43002)


@wechat_tokens.post("/cgi-bin/stable_token")
@api
def stable_token(w: World) -> Row:
    """The same token with less time left, until five minutes before its end; or a new one by force."""
    data = body()
    if data.get("grant_type") != "client_credential":
        raise Refusal(40002)
    account = _who(w, str(data.get("appid", "")), str(data.get("secret", "")))
    if w.over(f"stable:{account.name}", "stable_per_minute", w.clock.minute()):
        raise Refusal(45011)
    now = w.clock.second()
    if data.get("force_refresh") is True:
        last = w.store.value(f"forced:{account.name}", 0)
        if now - last < int(w.limits["stable_force_gap_s"]):
            raise Refusal(45011)
        if w.over(f"forced:{account.name}", "stable_force_daily", w.clock.day()):
            raise Refusal(45009)
        w.store.keep(f"forced:{account.name}", now)
        return mint(w, account, "stable", overlap_s=0)
    held = newest(w, account, "stable")
    if held and held["expires_at"] - now > OVERLAP_S:
        return {"access_token": held["token"], "expires_in": held["expires_at"] - now}
    return mint(w, account, "stable")


@wechat_tokens.get("/cgi-bin/getcallbackip")
@wechat_tokens.get("/cgi-bin/get_api_domain_ip")
@api
def callback_ips(w: World) -> Row:
    """Where pushes come from."""
    bearer(w, "official", "mini")
    return {"ip_list": ["127.0.0.1"]}


@wechat_tokens.post("/cgi-bin/clear_quota")
@api
def clear_quota(w: World) -> Row:
    """The day's counts start again."""
    account = bearer(w, "official", "mini")
    if body().get("appid") != account.app_id:
        raise Refusal(40013)
    if w.over(f"clear:{account.name}", "clear_quota_monthly", w.clock.day()[:6]):
        raise Refusal(48006, "forbid to clear quota because of reaching the limit")
    w.store.run("delete from tally where span in (?, ?)", w.clock.day(), w.clock.minute())
    return {"errcode": 0, "errmsg": "ok"}
