"""WeChat: the official account and the mini-program, under one prefix as on api.weixin.qq.com."""

from flask import Flask

from sandbox.tokens import wechat_tokens
from sandbox.wechat import content, menu, messages, mini, oauth, qr, subscribe, users


def register(app: Flask) -> None:
    """Every WeChat route answers under /wechat."""
    for part in (
        wechat_tokens,
        menu.routes,
        messages.routes,
        subscribe.routes,
        qr.routes,
        oauth.routes,
        users.routes,
        mini.routes,
        content.routes,
    ):
        app.register_blueprint(part, url_prefix="/wechat")
