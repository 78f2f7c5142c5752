"""The apps that gunicorn serves for `benchmarks.callbacks`: ours, and wechatpy's example."""

import os
from typing import Any

from core import crypto, log
from tests.wxbot import wire

DATABASE = "HOUQIN_BENCHMARK_DATABASE"
SENDER = wire.OFFICIAL


def ours() -> Any:
    """The callback door as `app.create_wsgi` wires it, before an app that says hello."""
    from wxbot.door import CallbackDoor

    log.set_up(level="WARNING")
    crypto.use(crypto.Vault(("benchmark",)))
    return CallbackDoor(hello(), config=wire.config(os.environ[DATABASE]))


def hello() -> Any:
    """(a) A Flask page that says hello."""
    from flask import Flask

    app = Flask("hello")
    app.add_url_rule("/hello", view_func=lambda: "hello")
    return app


def docs() -> Any:
    """(b) What wechatpy's documentation shows, in secure mode, without its prints."""
    from flask import Flask, abort, request
    from wechatpy import create_reply, parse_message
    from wechatpy.crypto import WeChatCrypto
    from wechatpy.exceptions import InvalidAppIdException, InvalidSignatureException

    app = Flask("docs")

    @app.route("/wx/official", methods=["GET", "POST"])
    def wechat() -> Any:
        timestamp, nonce = request.args.get("timestamp", ""), request.args.get("nonce", "")
        box = WeChatCrypto(SENDER.token, SENDER.aes_key, SENDER.receive_id)
        try:
            msg = box.decrypt_message(request.data, request.args.get("msg_signature", ""), timestamp, nonce)
        except (InvalidSignatureException, InvalidAppIdException):
            abort(403)
        msg = parse_message(msg)
        reply = create_reply(msg.content, msg) if msg.type == "text" else create_reply("Sorry, can not handle", msg)
        return box.encrypt_message(reply.render(), nonce, timestamp)

    return app
