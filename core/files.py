"""The byte store of photos and other files: a directory, or a bucket that several hosts share. DESIGN §3, §4 `[files]`.

A file is there whole or not at all: written beside its place, synced, then renamed (DRILLS K13). Its key is its
public number; nothing that a visitor typed in becomes part of a path.
"""

import os
import re
import secrets
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any

from core import log
from core.config import ConfigError, Files
from core.errors import NotFound, NotNow

_log = log.get(__name__)
_KEY = re.compile(r"[A-Z]{2}\d{6}[0-9A-Z]{10}(\.[a-z0-9]{1,8})?")


class FileStore(ABC):
    """Bytes under keys."""

    @staticmethod
    def open(section: Files) -> "FileStore":
        """The store that `[files] url` names: `file:DIRECTORY` or `s3://BUCKET/PREFIX`."""
        kind, _, rest = section.url.partition(":")
        if kind == "file" and rest:
            return Directory(Path(rest))
        if kind == "s3" and rest.startswith("//") and len(rest) > 2:
            bucket, _, prefix = rest[2:].partition("/")
            secret = section.secret_key.get_secret_value()
            return Bucket(bucket, prefix, access_key=section.access_key, secret_key=secret, endpoint=section.endpoint)
        raise ConfigError(f"[files] url = {section.url!r}: write file:DIRECTORY or s3://BUCKET/PREFIX")

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """The bytes are kept under the key. Raises NotNow when there is no room or the store is away."""

    @abstractmethod
    def get(self, key: str) -> bytes:
        """The bytes under the key. Raises NotFound, NotNow."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Nothing is under the key any more. Deleting again changes nothing."""

    @abstractmethod
    def up(self) -> bool:
        """Whether something could be kept now."""


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise NotFound(what="file")
    return key


class Directory(FileStore):
    """Files in a directory of this host, by day: `250901/FL250901K7Q2M9X4CD`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _path(self, key: str) -> Path:
        return self.root / _checked(key)[2:8] / key

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        beside = path.with_name(f".{key}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with beside.open("xb") as out:
                    out.write(data)
                    out.flush()
                    os.fsync(out.fileno())
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
            _sync_directory(path.parent)
        except OSError as why:
            _log.error("file store cannot write", why=why.strerror)
            raise NotNow("文件暂时无法保存，请稍后再试", why="files") from why

    def get(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise NotFound(what="file", key=key) from None
        except OSError as why:
            raise NotNow(why="files") from why

    def delete(self, key: str) -> None:
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as why:
            raise NotNow(why="files") from why

    def up(self) -> bool:
        probe = self.root / f".up.{secrets.token_hex(4)}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"\0" * 4096)
            return True
        except OSError:
            return False
        finally:
            with suppress(OSError):  # the directory itself may be what is wrong
                probe.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Bucket(FileStore):
    """Files in an S3-compatible bucket. An object appears whole or not at all by the protocol itself."""

    def __init__(self, bucket: str, prefix: str, *, access_key: str, secret_key: str, endpoint: str) -> None:
        import boto3  # loaded only where a bucket is configured: it is slow to import
        from botocore.config import Config

        self.bucket, self.prefix = bucket, prefix.strip("/")
        self.client: Any = boto3.client(
            "s3",
            aws_access_key_id=access_key or None,
            aws_secret_access_key=secret_key or None,
            endpoint_url=endpoint or None,
            region_name=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
            config=Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 2}),
        )

    def _name(self, key: str) -> str:
        return f"{self.prefix}/{_checked(key)}" if self.prefix else _checked(key)

    def put(self, key: str, data: bytes) -> None:
        self._ask("put_object", Key=self._name(key), Body=data)

    def get(self, key: str) -> bytes:
        answer = self._ask("get_object", Key=self._name(key))
        data: bytes = answer["Body"].read()
        return data

    def delete(self, key: str) -> None:
        self._ask("delete_object", Key=self._name(key))

    def up(self) -> bool:
        try:
            self._ask("head_bucket")
        except (NotFound, NotNow):
            return False
        return True

    def _ask(self, method: str, **options: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self.client, method)(Bucket=self.bucket, **options)
        except ClientError as why:
            code = str(why.response.get("Error", {}).get("Code", ""))
            if code in ("NoSuchKey", "404", "NotFound"):
                raise NotFound(what="file") from None
            _log.error("file store refused", platform_code=code, method=method)
            raise NotNow(why="files") from why
        except BotoCoreError as why:
            _log.error("file store is away", why=type(why).__name__, method=method)
            raise NotNow(why="files") from why
