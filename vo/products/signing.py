"""Addresses that open one file for some minutes: what they open is signed with a key of this service (HMAC-SHA256).

Permanent addresses stand in tables and papers and lead to these. Whoever runs the service can so move files, limit who
asks for much, or serve them by another machine, and no address of a file outlives its reason.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vo.errors import ForbiddenFault, OperatorFault
from vo.settings import Settings

log = logging.getLogger(__name__)

_KEY_FILE = "signing.key"
_KEY_BYTES = 32
#: A signature is of this purpose alone, whatever else the key may be used for one day.
_PURPOSE = b"vo-plates file 1"
_LONGEST_EXPIRES = 12


@dataclass(frozen=True, slots=True)
class Signature:
    """``expires`` is Unix time in seconds, ``signature`` text that needs no quoting in an address."""

    expires: int
    signature: str


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs product identifiers with ``key``, each for at most ``seconds`` and for more than half of them.

    For a while a file keeps the same address, so that browsers find what they have of it.
    """

    key: bytes
    seconds: int
    clock: Callable[[], float] = time.time

    def sign(self, product_id: str) -> Signature:
        """Sign for a product."""
        period = max(self.seconds // 2, 1)
        expires = (int(self.clock()) // period + 1) * period + self.seconds - period
        return Signature(expires, self._signature(product_id, str(expires)))

    def check(self, product_id: str, expires: str, signature: str, permanent: str) -> None:
        """:class:`ForbiddenFault` unless this is the signature of this product and has not expired.

        Nobody learns what is wrong with an address, nor whether there is such a product. ``permanent`` is the address
        that gives a new one.
        """
        is_right = hmac.compare_digest(
            self._signature(product_id, expires).encode(), signature.encode("utf-8", "surrogatepass")
        )
        is_number = expires.isascii() and expires.isdecimal() and len(expires) <= _LONGEST_EXPIRES
        if not (is_right and is_number and int(expires) > self.clock()):
            raise self.refusal(permanent)

    def refusal(self, permanent: str) -> ForbiddenFault:
        """The fault of an address that opens nothing."""
        return ForbiddenFault(
            "this address does not open a file, or does not any more: signed addresses are good for at most "
            f"{self.seconds} s (link_seconds), each for one file. Ask for the file at its permanent address, "
            f"{permanent}, which leads to a new one"
        )

    def _signature(self, product_id: str, expires: str) -> str:
        # Neither part can hold a NUL that would let one run into the other: the database's identifiers have none.
        told = b"\0".join((_PURPOSE, product_id.encode("utf-8", "surrogatepass"), expires.encode("utf-8", "replace")))
        digest = hmac.digest(self.key, told, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def load_signer(settings: Settings) -> Signer:
    """The signer of these settings; its key is made in ``data_dir`` when there is none yet.

    :class:`OperatorFault` when the key can be neither read nor made.
    """
    key = settings.signing_key.encode() if settings.signing_key else _kept_key(settings.data_dir)
    return Signer(key, settings.link_seconds)


def _kept_key(folder: Path) -> bytes:
    """The key that all processes with this folder share."""
    path = folder / _KEY_FILE
    try:
        with suppress(FileNotFoundError):
            return _read_key(path)
        folder.mkdir(parents=True, exist_ok=True)
        _make_key(path)
        return _read_key(path)
    except OSError as error:
        raise OperatorFault(
            f"the key that signs links cannot be kept in {path} ({error.strerror}); give one by VO_SIGNING_KEY"
        ) from error


def _read_key(path: Path) -> bytes:
    key = path.read_bytes().strip()
    if len(key) < _KEY_BYTES:
        raise OperatorFault(f"{path} holds no key; remove it, and a new one is made")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        log.warning("%s can be read by others; `chmod 600` it, or remove it for a new one", path)
    return key


def _make_key(path: Path) -> None:
    """Put a new key there, whole or not at all; one that another process made meanwhile stays."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(_KEY_BYTES).encode())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
