"""The client's H5 build at /m/: for WeCom, the official account's web view and the sandbox's phone. DESIGN §4.

`make client` builds it. Files under assets/ carry a hash in their name and may be kept for ever; the first page is
asked about each time, so a new build is seen at once.
"""

from pathlib import Path

from flask import Blueprint, Flask, Response, abort, current_app, json, redirect, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from core.config import Config
from core.house import house

pages = Blueprint("client", __name__)

DIST = Path(__file__).resolve().parent.parent / "client" / "dist" / "build" / "h5"
FOR_EVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"
SDK_HOST = "https://res.wx.qq.com"
SDK = f"{SDK_HOST}/open/js/jweixin-1.6.0.js"
CSP = (
    "default-src 'self'; script-src 'self'{sdk}; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'{ancestors}"
)
NOT_BUILT = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>后勤通</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<h1>网页版还没有准备好</h1>
<p>请稍后再来。管理员:在服务器上运行 <code>make client</code> 后刷新本页。</p></html>
"""


@pages.get("/m")
def get_without_slash() -> AnyResponse:
    return redirect("/m/", 308)


@pages.get("/m/")
def get_index() -> Response:
    """The client's first page, or a kind word while it has not been built."""
    if not (_dist() / "index.html").is_file():
        return _for_pages(Response(NOT_BUILT, 503, {"Retry-After": "60"}, mimetype="text/html"), ASK_EACH_TIME)
    return _for_pages(send_from_directory(_dist(), "index.html", max_age=0), ASK_EACH_TIME)


@pages.get("/m/config.js")
def get_config() -> Response:
    """What this installation tells the client: who may frame it, and where the JS-SDK is."""
    config = house().config
    said = {"bridges": list(config.server.frame_ancestors), "jweixin": SDK if _real_wechat(config) else ""}
    return _for_pages(Response(f"window.HOUQIN = {json.dumps(said)}\n", mimetype="text/javascript"), ASK_EACH_TIME)


@pages.get("/m/<path:name>")
def get_file(name: str) -> Response:
    """A file of the build."""
    if any(part.startswith(".") for part in name.split("/")):
        abort(404)
    hashed = name.startswith("assets/")
    return _for_pages(send_from_directory(_dist(), name, max_age=0), FOR_EVER if hashed else ASK_EACH_TIME)


def _dist() -> Path:
    return Path(current_app.config.get("CLIENT_DIST", DIST))


def _for_pages(answer: Response, keep: str) -> Response:
    config = house().config
    answer.headers["Cache-Control"] = keep
    answer.headers["Content-Security-Policy"] = CSP.format(
        sdk=f" {SDK_HOST}" if _real_wechat(config) else "",
        ancestors="".join(f" {origin}" for origin in config.server.frame_ancestors),
    )
    return answer


def _real_wechat(config: Config) -> bool:
    """Whether pages run inside the real WeChat or WeCom, which need the JS-SDK; the sandbox has a bridge instead."""
    bases = [section.oauth_base for section in (config.official_account, config.wecom) if section]
    return any(base.startswith("https://open.weixin.qq.com") for base in bases)


def set_up(app: Flask) -> None:
    """The app answers /m/."""
    app.register_blueprint(pages)
