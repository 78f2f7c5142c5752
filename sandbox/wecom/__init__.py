"""WeCom under /wecom."""

from flask import Flask


def register(app: Flask) -> None:
    """Every WeCom route answers under /wecom."""
