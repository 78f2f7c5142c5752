"""Web log-in of the official account (PROTOCOLS 1.8), and the page on which one chooses who one is."""

import json
import re
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.answers import Refusal, answer, api
from sandbox.tokens import OVERLAP_S
from sandbox.wechat.mini import issue, redeem
from sandbox.world import Row, World, world

routes = Blueprint("wechat_oauth", __name__)
# 正则强匹配: names, case and order are fixed
OFFICIAL = re.compile(
    r"appid=(?P<appid>[^&]+)&redirect_uri=(?P<redirect_uri>[^&]+)&response_type=code"
    r"&scope=(?P<scope>snsapi_base|snsapi_userinfo)(&state=(?P<state>[a-zA-Z0-9]{0,128}))?(&forcePopup=(true|false))?"
)
COOKIE = "sandbox_person"


def with_query(url: str, **more: str) -> str:
    """The address with parameters added in front of its fragment."""
    parts = urlsplit(url)
    query = "&".join(filter(None, [parts.query, urlencode(more)]))
    return urlunsplit(parts._replace(query=query))


def trusted(w: World, url: str) -> bool:
    """Whether the address lies on a configured domain."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and parts.netloc in w.settings.oauth_domains


def error_page(code: str, words: str) -> Response:
    """The page WeChat shows in place of a log-in that is configured wrongly."""
    return Response(render_template("error.html", code=code, words=words), 200)


def who(w: World) -> Row | None:
    """The person this phone belongs to: chosen on this page, or the one the phone page is showing."""
    return w.person(request.headers.get("X-Sandbox-Person") or request.cookies.get(COOKIE, ""))


@routes.route("/connect/oauth2/authorize", methods=["GET", "POST"])
def authorize() -> AnyResponse:
    """Back to redirect_uri with a code: silently for the phone's person, else after choosing one."""
    w = world()
    account = w.account("official")
    found = OFFICIAL.fullmatch(request.query_string.decode())
    if account is None or found is None:
        return error_page("10002", "此链接无法打开：参数的名称、大小写或顺序不符")
    asked = {k: unquote(v or "") for k, v in found.groupdict().items()}
    if asked["appid"] != account.app_id:
        return error_page("10013", "AppID 参数错误")
    if not trusted(w, asked["redirect_uri"]):
        return error_page("10003", "redirect_uri 域名与后台配置不一致")
    person = w.person(request.form.get("person", "")) if request.method == "POST" else who(w)
    if person is None:
        return Response(render_template("choose.html", people=w.people(), title="微信网页授权", note=""))
    if asked["scope"] == "snsapi_userinfo" and request.method == "GET" and not request.headers.get("X-Sandbox-Person"):
        note = "该网页申请获取你的昵称、头像"
        return Response(render_template("choose.html", people=[person], title="微信网页授权", note=note))
    with w.store.deed():
        code = issue(w, "oauth", person["key"], scope=asked["scope"])
    return redirect(with_query(asked["redirect_uri"], code=code, state=asked["state"]))


def _official(w: World) -> None:
    account = w.account("official")
    if account is None or request.args.get("appid") != account.app_id:
        raise Refusal(40013)
    if "secret" in request.args and request.args["secret"] != account.secret:
        raise Refusal(40125)


def _web_token(w: World, person: str, scope: str) -> Row:
    token, refresh = w.dice.text("web_token", 110), w.dice.text("web_refresh", 110)
    now = w.clock.second()
    for text, kind in ((token, "web"), (refresh, "refresh")):
        w.store.run(
            "insert into code (code, kind, person, issued_at, extra) values (?,?,?,?,?)",
            *(text, kind, person, now, json.dumps({"scope": scope})),
        )
    return {"access_token": token, "expires_in": 7200, "refresh_token": refresh, "scope": scope}


@routes.get("/sns/oauth2/access_token")
@lambda f: api(f, plain=True)
def access_token(w: World) -> Row:
    """The openid behind a code, once: 40163 the second time."""
    _official(w)
    if not request.args.get("code"):
        raise Refusal(41008)
    if request.args.get("grant_type") != "authorization_code":
        raise Refusal(40002)
    row = redeem(w, "oauth", request.args["code"])
    person = w.person(row["person"]) or {}
    made = _web_token(w, row["person"], row["extra"]["scope"])
    if w.faults.strike(f"GET {request.path}", "snapshot_user"):
        virtual = "o" + w.dice.text("snapshot", 27)
        return {**made, "openid": virtual, "is_snapshotuser": 1}
    return {**made, "openid": person["official_openid"], "unionid": person["unionid"]}


@routes.get("/sns/oauth2/refresh_token")
@api
def refresh_token(w: World) -> Row:
    """A new web token for a refresh token of the last thirty days."""
    _official(w)
    row = w.store.one("select * from code where code = ? and kind = 'refresh'", request.args.get("refresh_token", ""))
    if row is None:
        raise Refusal(40030, "invalid refresh_token")
    if w.clock.second() - row["issued_at"] > 30 * 86400:
        raise Refusal(42002, "refresh_token expired")
    person = w.person(row["person"]) or {}
    return {**_web_token(w, row["person"], json.loads(row["extra"])["scope"]), "openid": person["official_openid"]}


def _holder(w: World) -> tuple[Row, str]:
    row = w.store.one("select * from code where code = ? and kind = 'web'", request.args.get("access_token", ""))
    if row is None:
        raise Refusal(40001)
    if w.clock.second() - row["issued_at"] > 7200 + OVERLAP_S:
        raise Refusal(42001)
    person = w.person(row["person"]) or {}
    if request.args.get("openid") != person.get("official_openid"):
        raise Refusal(40003)
    return person, json.loads(row["extra"])["scope"]


@routes.get("/sns/userinfo")
@api
def userinfo(w: World) -> Row:
    """Name and picture, for scope snsapi_userinfo."""
    person, scope = _holder(w)
    if scope != "snsapi_userinfo":
        raise Refusal(48001)
    return {
        "openid": person["official_openid"],
        "nickname": person["name"],
        "sex": 0,
        "language": "",
        "city": "",
        "province": "",
        "country": "",
        "headimgurl": "",
        "privilege": [],
        "unionid": person["unionid"],
    }


@routes.get("/sns/auth")
def auth() -> Response:
    """Whether a web token is still good."""
    try:
        _holder(world())
    except Refusal as error:
        return answer({"errcode": error.errcode, "errmsg": error.errmsg})
    return answer({"errcode": 0, "errmsg": "ok"})
