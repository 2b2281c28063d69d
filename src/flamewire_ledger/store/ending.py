"""Ends tasks, whatever happens to the one who ends them."""

from __future__ import annotations

import asyncio
from typing import Any


async def end(task: asyncio.Future[Any]) -> None:
    """Cancel a task that is not done, and wait until it is: also when the caller is cancelled.

    Its result is not looked at. Raises CancelledError, afterwards, if the caller was cancelled.
    """
    task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
