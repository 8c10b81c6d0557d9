"""What is to be told waits in the outbox, and wakes whoever tells it."""

from __future__ import annotations

from resource_server._validation.outbox import Outbox
from resource_server._validation.revocations import Revocations

ALICE = ("sub", "alice")


def test_whoever_listens_is_woken_by_what_is_put_in() -> None:
    """Each thing that is put in wakes those who wait for something to tell, until they do no longer."""
    outbox, woken = Outbox(Revocations()), list[int]()
    end = outbox.listen(lambda: woken.append(1))
    outbox.put([ALICE], 5.0)
    end()
    end()
    outbox.put([ALICE], 3.0)
    outbox.put([ALICE], 9.0)
    assert (woken, outbox.next_due(1.0), len(outbox)) == ([1], 2.0, 1)


def test_a_process_that_was_forked_off_wakes_nobody() -> None:
    """Who listened is in the process that was left."""
    outbox, woken = Outbox(Revocations()), list[int]()
    end = outbox.listen(lambda: woken.append(1))
    outbox._leave_listeners()
    outbox.put([ALICE], 0.0)
    end()
    assert woken == []
