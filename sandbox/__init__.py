"""A stand-in for WeChat, WeCom, an SMS gateway and a campus sign-in server, on one port.

It speaks the platforms' own protocols and refuses what they refuse; it knows nothing of the
service it is used with. docs/sandbox.md describes it.
"""

from sandbox.app import create_app
from sandbox.cli import main

__all__ = ["create_app", "main"]
