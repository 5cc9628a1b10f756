"""Access: who may look at a dashboard, by which names it is known, and whether anything may be changed."""

import ipaddress
import secrets
from dataclasses import dataclass

from models.errors import MnistSearchError

LOCALHOST = "127.0.0.1"
AUTO_TOKEN = "auto"
TOKEN_VARIABLE = "MNIST_SEARCH_TOKEN"
_SHORTEST_TOKEN = 8


@dataclass(frozen=True)
class Access:
    """What was asked for: the address to serve on, further names it is known by, the token, and whether to look only.

    Raises MnistSearchError where it would let anybody on the network change the studies, and for a token that could
    be guessed or a name that is none.
    """

    host: str = LOCALHOST
    read_only: bool = False
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token.strip()) < _SHORTEST_TOKEN:
            raise MnistSearchError(
                f"--token: a token has at least {_SHORTEST_TOKEN} characters; `--token {AUTO_TOKEN}` makes one"
            )
        for name in self.allowed_hosts:
            if not name or set(name) & set(":/@[] "):
                raise MnistSearchError(f"--allow-host {name}: give a name alone, such as mybox.example")
        if not self.is_local and not self.read_only and self.token is None:
            raise MnistSearchError(
                f"--host {self.host} serves beyond this machine: add --read-only, or --token {AUTO_TOKEN}, "
                "or whoever reaches it may change and delete studies"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def chosen_token(text: str | None) -> str | None:
    """The token that is meant by `--token`: the text itself, or a new one for `auto`."""
    return secrets.token_urlsafe(16) if text == AUTO_TOKEN else text
