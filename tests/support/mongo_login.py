"""One client's login to the MongoDB contract server: SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side of it."""

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from typing import Any

ROUNDS = 4096
Said = dict[str, Any]


class Login:
    """Knows one user, `sonik`; without a password anyone is in."""

    def __init__(self, password: str | None) -> None:
        self.done = password is None
        self._password = password or ""
        self._bare = self._first = self._nonce = ""
        self._salt = os.urandom(28)

    def start(self, command: Said) -> Said | None:
        """Return the answer to saslStart; None: refused."""
        if command["mechanism"] != "SCRAM-SHA-256":
            return None
        self._bare = bytes(command["payload"]).decode().split(",", 2)[2]
        told = dict(part.split("=", 1) for part in self._bare.split(","))
        self._nonce = told["r"] + b64encode(os.urandom(18)).decode()
        self._first = f"r={self._nonce},s={b64encode(self._salt).decode()},i={ROUNDS}"
        if told["n"] != "sonik":
            self._password = os.urandom(9).hex()
        return {"conversationId": 1, "done": False, "payload": self._first.encode()}

    def proceed(self, command: Said) -> Said | None:
        """Return the answer to saslContinue; None: refused."""
        bare, proof = bytes(command["payload"]).decode().rsplit(",p=", 1)
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(), self._salt, ROUNDS)
        key, message = _hmac(salted, b"Client Key"), f"{self._bare},{self._first},{bare}".encode()
        signature = _hmac(hashlib.sha256(key).digest(), message)
        expected = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        if expected != b64decode(proof) or f"r={self._nonce}" not in bare.split(","):
            return None
        self.done = True
        answer = b"v=" + b64encode(_hmac(_hmac(salted, b"Server Key"), message))
        return {"conversationId": 1, "done": True, "payload": answer}


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()
