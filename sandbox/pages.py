"""The phone, the panel, and the phone beside another page."""

from flask import Flask, Response, render_template, request

from sandbox.wechat.oauth import COOKIE
from sandbox.world import world


def register(app: Flask) -> None:
    """The pages people look at."""

    @app.get("/")
    def phone() -> str:
        """The phone."""
        return render_template("phone.html")

    @app.get("/panel")
    def panel() -> str:
        """Faults, clock, calls."""
        return render_template("panel.html")

    @app.get("/beside")
    def beside() -> str:
        """The phone beside another page."""
        left, right = request.args.get("left", ""), request.args.get("right", "")
        if not left.startswith("/"):
            left = "/"
        if not right.startswith(("http://", "https://")):
            right = f"{world().settings.service_url}/console/"
        return render_template("beside.html", left=left, right=right)

    @app.post("/be/<key>")
    def be(key: str) -> Response:
        """This browser is this person's phone: sign-in pages know who came."""
        answer = Response("", 204)
        if world().person(key):
            answer.set_cookie(COOKIE, key, samesite="Lax", httponly=True)
        return answer

    @app.get("/healthz")
    def healthz() -> dict[str, bool]:
        """The sandbox is up."""
        return {"ok": True}
