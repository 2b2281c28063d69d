"""Ends tasks, whatever happens to the one who ends them, and tells who asked for an end."""

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


def was_asked_to_stop() -> bool:
    """Whether a CancelledError is meant for the task it comes to: libraries also cancel what a task
    waits for.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
