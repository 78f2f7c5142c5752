"""Sealing what must not be read in a stolen backup, comparing without telling how far it matched. P8, DRILLS "crypto".

`[server] data_keys` is a list, newest first: sealing uses the first, opening tries all, so a key can be changed
without a day on which nothing can be read. A blind index finds a phone number without storing it in clear.
"""

import base64
import hashlib
import hmac
import secrets

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Vault:
    """Seals and opens texts under the data keys of the config."""

    def __init__(self, data_keys: tuple[str, ...]) -> None:
        if not data_keys:
            raise ValueError("at least one data key is needed")
        self._boxes = MultiFernet([Fernet(_fernet_key(key)) for key in data_keys])
        # The index key is derived from the oldest key, which is the last to go: rows indexed before a change are still found.
        self._index_key = hashlib.sha256(b"houqin blind index\0" + data_keys[-1].encode()).digest()

    def seal(self, text: str) -> str:
        """The text, unreadable without a data key."""
        return self._boxes.encrypt(text.encode()).decode("ascii")

    def unseal(self, sealed: str) -> str:
        """What was sealed. Raises ValueError when no key opens it."""
        try:
            return self._boxes.decrypt(sealed.encode("ascii")).decode()
        except InvalidToken:
            raise ValueError("no data key opens this") from None

    def blind(self, text: str) -> str:
        """The same text always gives the same 32 hex digits, and they do not give back the text."""
        return hmac.new(self._index_key, text.encode(), hashlib.sha256).hexdigest()[:32]


def _fernet_key(key: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(b"houqin data key\0" + key.encode()).digest())


_vault: Vault | None = None


def use(vault: Vault) -> None:
    """From now on `seal`, `unseal` and `blind` use these keys. Called once by whoever starts the process."""
    global _vault
    _vault = vault


def _open_vault() -> Vault:
    if _vault is None:
        raise RuntimeError("core.crypto.use() has not been called")
    return _vault


def seal(text: str) -> str:
    """`Vault.seal` under the keys of this process."""
    return _open_vault().seal(text)


def unseal(sealed: str) -> str:
    """`Vault.unseal` under the keys of this process."""
    return _open_vault().unseal(sealed)


def blind(text: str) -> str:
    """`Vault.blind` under the keys of this process."""
    return _open_vault().blind(text)


def same(left: str | bytes, right: str | bytes) -> bool:
    """Whether both are the same, in a time that does not tell where they differ."""
    as_bytes = [side.encode() if isinstance(side, str) else side for side in (left, right)]
    return hmac.compare_digest(as_bytes[0], as_bytes[1])


def token(nbytes: int = 32) -> str:
    """A secret nobody can guess, safe in a URL."""
    return secrets.token_urlsafe(nbytes)


def hash_token(secret: str) -> str:
    """What is stored of a token: the token itself is only ever in the hands of its owner."""
    return hashlib.sha256(secret.encode()).hexdigest()
