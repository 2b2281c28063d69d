"""The HTTP session of one node. What is longer than any honest answer is not read to its end, and the
line is cut: web3's own session would keep all of it in memory.
"""

from __future__ import annotations

from aiohttp import ClientResponse, ClientSession, TCPConnector

from flamewire_ledger.chains import answers


class BoundedResponse(ClientResponse):
    """An answer that ends where honest ones have ended long before."""

    async def read(self) -> bytes:
        """Raises AnswerTooLarge. It is counted as it is unpacked, so that packing it helps nobody."""
        found = bytearray()
        try:
            async for chunk in self.content.iter_any():
                found += chunk
                if len(found) > answers.ANSWER_BYTES_MAX:
                    raise answers.AnswerTooLarge("an answer is longer than any honest one")
            whole = bytes(found)
            answers.check_answer(whole)
        except BaseException:
            self.close()
            raise
        return whole


def bounded_session() -> ClientSession:
    """As web3 makes its own, but for the bound. Made in the event loop that uses it."""
    return ClientSession(
        raise_for_status=True,
        response_class=BoundedResponse,
        connector=TCPConnector(force_close=True, enable_cleanup_closed=True),
    )
