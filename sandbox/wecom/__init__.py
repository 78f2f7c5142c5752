"""WeCom: the self-built app and its contacts, under one prefix as on qyapi.weixin.qq.com."""

from flask import Flask

from sandbox.wecom import account, cards, contacts, messages, oauth


def register(app: Flask) -> None:
    """Every WeCom route answers under /wecom."""
    for part in (account.routes, messages.routes, cards.routes, contacts.routes, oauth.routes):
        app.register_blueprint(part, url_prefix="/wecom")
