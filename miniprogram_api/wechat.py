"""Signed settings for the JS-SDK: scanning in a page of the official account or WeCom. PROTOCOLS 1.9."""

from typing import Literal

from pydantic import Field

from core.errors import Forbidden
from core.house import house
from miniprogram_api import oauth
from miniprogram_api.frame import api, refuses
from miniprogram_api.kinds import Out, Query
from miniprogram_api.limits import limited

JS_API_LIST = ["scanQRCode", "chooseImage", "previewImage", "getLocalImgData", "hideOptionMenu", "closeWindow"]


class NotOurPage(Forbidden):
    code, text = "not_our_page", "只能为本站页面签名"


class JsConfigQuery(Query):
    url: str = Field(
        max_length=1000, pattern=r"^https?://[!-~]+$", description="The page's full address; what follows # is left out"
    )
    account: Literal["official", "wecom"] = "official"


class JsConfigOut(Out):
    app_id: str
    timestamp: int
    nonce: str
    signature: str
    js_api_list: list[str]


@api.get("/wechat/js-config")
@limited("public")
@refuses(403, 404, 502)
@api.input(JsConfigQuery, location="query")
@api.output(JsConfigOut)
def get_js_config(query_data: JsConfigQuery) -> JsConfigOut:
    """What `wx.config` needs on one of our pages. Other people's pages are not signed."""
    if not query_data.url.startswith(house().config.server.base_url + "/"):
        raise NotOurPage()
    platform = oauth.switched_on(getattr(house().platforms, query_data.account))
    said = platform.js_config(query_data.url)
    return JsConfigOut(
        app_id=said["appId"],
        timestamp=said["timestamp"],
        nonce=said["nonceStr"],
        signature=said["signature"],
        js_api_list=JS_API_LIST,
    )
