"""The campus sign-in server under /sso."""

from flask import Flask


def register(app: Flask) -> None:
    """CAS and OIDC answer under /sso."""
