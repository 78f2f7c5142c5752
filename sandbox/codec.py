"""Signatures and encryption of callbacks, as PROTOCOLS 1.2 and 3.2 describe them.

AES-256-CBC under the 43-character key, IV its first 16 bytes, PKCS#7 to blocks of 32, and inside:
16 random bytes, the length, the message, the receiver's id.
"""

import base64
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32


class Undecipherable(ValueError):
    """The other side's message does not decrypt to what it should be."""


def sha1_sorted(*parts: str) -> str:
    """The platforms' signature: SHA-1 over the sorted strings."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two signatures are equal."""
    return hmac.compare_digest(one.encode(), other.encode())


def key_bytes(aes_key: str) -> bytes:
    """The 32 bytes behind an EncodingAESKey."""
    return base64.b64decode(aes_key + "=")


def encrypt(aes_key: str, message: str, receiver: str, random16: bytes) -> str:
    """The message as it travels in <Encrypt>."""
    key = key_bytes(aes_key)
    data = message.encode()
    plain = random16 + struct.pack(">I", len(data)) + data + receiver.encode()
    pad = BLOCK - len(plain) % BLOCK
    plain += bytes([pad]) * pad
    sealer = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(sealer.update(plain) + sealer.finalize()).decode()


def decrypt(aes_key: str, sealed: str, receiver: str) -> str:
    """What stands in <Encrypt>; padding, length and receiver are checked."""
    key = key_bytes(aes_key)
    try:
        data = base64.b64decode(sealed, validate=True)
        opener = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        plain = opener.update(data) + opener.finalize()
    except ValueError as error:
        raise Undecipherable(f"not AES in base64: {error}") from error
    pad = plain[-1] if plain else 0
    if not 1 <= pad <= BLOCK or plain[-pad:] != bytes([pad]) * pad:
        raise Undecipherable("bad padding")
    plain = plain[:-pad]
    if len(plain) < 20:
        raise Undecipherable("too short")
    (length,) = struct.unpack(">I", plain[16:20])
    message, tail = plain[20 : 20 + length], plain[20 + length :]
    if len(message) != length:
        raise Undecipherable("length beyond the end")
    if tail != receiver.encode():
        raise Undecipherable("meant for another receiver")
    try:
        return message.decode()
    except UnicodeDecodeError as error:
        raise Undecipherable("not UTF-8") from error
