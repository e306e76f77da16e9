"""Text messages through Solapi, by its own SDK: ``pip install 'jigap[solapi]'``.

The SDK blocks and connects anew for each message, so it runs in a thread. It tries again only when
no connection could be made, which sends nothing twice.
"""

import asyncio
from typing import Any

from jigap.realname.sms import NotTaken, PerhapsTaken, Sms, SmsAnswer, Taken, phone_digits
from jigap.refusal import Kind, Refusal

DEFAULT_URL = "https://api.solapi.com"


class SolapiMissing(Refusal):
    """The package that speaks to Solapi is not installed."""

    code = "solapi_missing"
    kind = Kind.UNAVAILABLE
    hint = "Install it: pip install 'jigap[solapi]'."


class SolapiSender:
    """Sends from ``sender``, a number registered with Solapi."""

    def __init__(self, key: str, secret: str, sender: str, url: str = "") -> None:
        """Raises ``SolapiMissing``."""
        try:
            from solapi import SolapiMessageService
        except ImportError:
            raise SolapiMissing("Solapi's package is not installed.") from None
        self._service = SolapiMessageService(api_key=key, api_secret=secret)
        self._service.base_url = url or DEFAULT_URL
        self._sender = sender

    async def send(self, message: Sms) -> SmsAnswer:
        """Hand a message over."""
        return await asyncio.to_thread(self._send, message)

    async def close(self) -> None:
        """Nothing is held open."""

    def _send(self, message: Sms) -> SmsAnswer:
        from solapi.error.MessageNotReceiveError import MessageNotReceivedError
        from solapi.model import RequestMessage

        asked = RequestMessage(
            from_=self._sender, to=phone_digits(message.to), text=message.text, type="SMS"
        )
        try:
            self._service.send(asked)
        except MessageNotReceivedError as error:
            codes = {one.status_code for one in error.failed_messages}
            return NotTaken(f"Solapi did not take it ({', '.join(sorted(codes))})")
        except Exception as error:  # the SDK raises plain Exception for every HTTP error
            return _answer(error)
        return Taken()


def _answer(error: Exception) -> SmsAnswer:
    """What an error of the SDK means: (code, message) of a 4xx is a no, all else is a doubt."""
    code: Any = error.args[0] if len(error.args) == 2 else None
    if type(error) is Exception and isinstance(code, str) and code != "UnknownError":
        return NotTaken(f"Solapi did not take it ({code[:40]})")
    return PerhapsTaken(f"no answer of Solapi ({type(error).__name__})")
