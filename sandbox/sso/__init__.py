"""The campus sign-in server: CAS 3 under /sso/cas, OpenID Connect under /sso/oidc."""

from flask import Flask

from sandbox.sso import cas, oidc


def register(app: Flask) -> None:
    """CAS and OIDC answer under /sso."""
    app.register_blueprint(cas.routes, url_prefix="/sso/cas")
    app.register_blueprint(oidc.routes, url_prefix="/sso/oidc")
