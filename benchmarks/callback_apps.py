"""The apps that gunicorn serves for `benchmarks.callbacks`: ours, and wechatpy's example."""

import os
from typing import Any

from pydantic import SecretStr

from core import log
from tests.wxbot import wire

DATABASE = "HOUQIN_BENCHMARK_DATABASE"
FILES = "HOUQIN_BENCHMARK_FILES"
SENDER = wire.OFFICIAL


def ours() -> Any:
    """The whole web process as `houqin serve` loads it: the callback door in front of API and console."""
    import app

    log.set_up()
    config = wire.config(os.environ[DATABASE])
    config = config.model_copy(
        update={
            "redis": config.redis.model_copy(update={"url": SecretStr("redis://127.0.0.1:1/0")}),  # never asked here
            "files": config.files.model_copy(update={"url": f"file:{os.environ[FILES]}"}),
        }
    )
    return app.create_wsgi(app.build_house(config))


def hello() -> Any:
    """A Flask page that says hello, without what every page of ours does; for orientation."""
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
