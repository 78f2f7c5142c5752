"""Signatures and encryption, against the platforms' published samples and against wechatpy's own code."""

import pytest
from wechatpy.crypto import WeChatCrypto
from wechatpy.enterprise.crypto import WeChatCrypto as WeComCrypto

from sandbox import codec

KEY = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR"


def test_the_published_signature_of_the_official_page_comes_out() -> None:
    assert codec.sha1_sorted("AAAAA", "1714036504", "1514711492") == "f464b24fc39322e44b38aa78f5edd27bd1441696"


def test_the_published_reply_of_the_official_page_is_encrypted_to_the_same_text() -> None:
    sealed = codec.encrypt("A" * 43, '{"demo_resp":"good luck"}', "wxba5fad812f8e6fb9", b"707722b803182950")
    assert sealed == "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
    assert codec.decrypt("A" * 43, sealed, "wxba5fad812f8e6fb9") == '{"demo_resp":"good luck"}'


@pytest.mark.parametrize("crypto", [WeChatCrypto, WeComCrypto])
@pytest.mark.parametrize("length", [0, 1, 15, 16, 31, 32, 1000])
def test_wechatpy_opens_what_the_sandbox_seals(crypto: type, length: int) -> None:
    text = "<xml><a>" + "报" * length + "</a></xml>"
    sealed = codec.encrypt(KEY, text, "wx123", b"0123456789abcdef")
    signature = codec.sha1_sorted("token", "1", "2", sealed)
    opened = crypto("token", KEY, "wx123").decrypt_message(
        f"<xml><ToUserName>x</ToUserName><Encrypt>{sealed}</Encrypt></xml>", signature, "1", "2"
    )
    assert opened == text


@pytest.mark.parametrize(
    ("key", "sealed", "receiver"),
    [
        (KEY, "not base64!", "wx123"),
        (KEY, "AAAA", "wx123"),
        (KEY, codec.encrypt(KEY, "x", "wx124", b"0" * 16), "wx123"),
        ("A" * 43, codec.encrypt(KEY, "x", "wx123", b"0" * 16), "wx123"),
    ],
)
def test_what_is_not_for_us_is_not_opened(key: str, sealed: str, receiver: str) -> None:
    with pytest.raises(codec.Undecipherable):
        codec.decrypt(key, sealed, receiver)
