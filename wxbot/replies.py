"""What a person reads in the chat: a text with links that open the right page. PROTOCOLS 1.5, 3.3; FEATURES N7.

A link is an `<a>` in the text: to the H5 client, or, where a mini-program is configured, to its page, with the H5
address for those who cannot open it. Rules name pages; only this module knows where they are.
"""

from functools import cache
from typing import NamedTuple
from urllib.parse import quote

from campus.repairs.chat import ChatReply
from core.config import Config
from core.errors import BindingNeeded, CampusError, SignInNeeded
from platforms.wechat_message import MAX_TEXT_BYTES, fit_text

BIND_PAGE = "/pages/binding/binding"
TROUBLE = "抱歉，系统出了点问题，我们已经记录。请稍后再试，急修请直接拨打值班电话。"


class Say(NamedTuple):
    """Fixed words and links below them: (label, page)."""

    text: str
    links: tuple[tuple[str, str], ...] = ()


Reply = Say | ChatReply  # what the rules answer has the same shape


class Pages:
    """Where the pages of the client are."""

    def __init__(self, config: Config) -> None:
        self._base_url = config.server.base_url
        self._mini_app_id = config.mini_program.app_id if config.mini_program else ""
        self.fixed = cache(self.text)
        """`text` for the fixed words of the table, made once."""

    def url(self, page: str) -> str:
        """The page in the H5 client."""
        return f"{self._base_url}/m/#/{quote(page.lstrip('/'), safe='/?=&%-._~')}"

    def link(self, label: str, page: str, *, mini: bool) -> str:
        """An anchor for the chat. `mini`: WeChat opens the mini-program instead, where there is one.

        Binding always opens in H5: there the official account says who it is, and it is its openid that chats.
        """
        label = label.replace("<", "〈").replace(">", "〉")
        if mini and self._mini_app_id and not page.startswith(BIND_PAGE):
            path = quote(page.lstrip("/"), safe="/?=&%-._~")
            return (
                f'<a data-miniprogram-appid="{self._mini_app_id}" data-miniprogram-path="{path}" '
                f'href="{self.url(page)}">{label}</a>'
            )
        return f'<a href="{self.url(page)}">{label}</a>'

    def text(self, reply: "Reply | None", *, mini: bool) -> str:
        """The reply as one text of at most 2048 bytes; the words are cut before a link would be. Empty for no reply."""
        if reply is None or not reply.text:
            return ""
        links = [self.link(label, page, mini=mini) for label, page in reply.links]
        while links and _size(links) > MAX_TEXT_BYTES // 2:
            links.pop()
        words = fit_text(reply.text, MAX_TEXT_BYTES - _size(links))
        return "\n".join([words, *links]).encode("utf-8", "replace").decode()  # half a surrogate pair cannot be stored


def refusal(why: CampusError) -> Say:
    """A rule's no, in the rule's own words, and the way on where there is one."""
    if isinstance(why, BindingNeeded | SignInNeeded):
        return Say(why.detail, (("绑定校园身份", BIND_PAGE),))
    return Say(why.detail)


def _size(links: list[str]) -> int:
    return sum(len(link.encode()) + 1 for link in links)
