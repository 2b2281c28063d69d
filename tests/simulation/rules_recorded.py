"""Rules about what is recorded: acknowledged commands, positions, versions, and folded states."""

from __future__ import annotations

from collections import Counter
from typing import Final

from tests.simulation.broken import Broken
from tests.simulation.evidence import DECIDERS, Evidence, fold
from tests.simulation.roles import CODEC


def acknowledged_is_there_once(evidence: Evidence) -> None:
    by_command: dict[object, list[int]] = {}
    for some in evidence.partitions:
        for seen in some:
            by_command.setdefault(seen.recorded.command_id, []).append(seen.recorded.position)
    for sent in evidence.sent:
        if sent.done is None:
            continue
        name = f"{sent.kind} {sent.command_id}"
        recorded = evidence.commands.get(sent.command_id)
        if recorded is None:
            events = by_command.get(sent.command_id)
            if sent.done.answer is None and events and events[-1] == sent.done.position:
                continue
            raise Broken("what was acknowledged is there", f"{name} is not")
        if (recorded.position, recorded.answer, recorded.fingerprint) != (
            sent.done.position, sent.done.answer, sent.fingerprint,
        ):  # fmt: skip
            raise Broken("what was acknowledged is there", f"{name} is another: {recorded}")
        events = by_command.get(sent.command_id, [])
        if events and events != list(range(events[0], sent.done.position + 1)):
            raise Broken("a command is recorded once", f"{name} is at {events}")


def answers_are_what_was_recorded(evidence: Evidence) -> None:
    """Clients are answered with the facts of their command, to the byte."""
    facts: dict[object, list[bytes]] = {}
    for some in evidence.partitions:
        for seen in some:
            facts.setdefault(seen.recorded.command_id, []).append(seen.recorded.data)
    for sent in evidence.sent:
        if sent.done is not None and sent.done.answer is not None:
            recorded = b"|".join(facts.get(sent.command_id, []))
            if recorded != sent.done.answer:
                raise Broken("answers are what was recorded", f"{sent.kind} {sent.command_id}")


def refused_is_not_there(evidence: Evidence) -> None:
    """A client that was refused, and was never in doubt before, finds nothing recorded."""
    for sent in evidence.sent:
        is_refused = sent.refused is not None and sent.done is None and not sent.was_in_doubt
        if is_refused and sent.command_id in evidence.commands:
            raise Broken("what was refused is not there", f"{sent.kind} {sent.command_id} is")


def nothing_is_recorded_that_nobody_sent(evidence: Evidence) -> None:
    sent = {each.command_id for each in evidence.sent}
    for some in evidence.partitions:
        for seen in some:
            recorded = seen.recorded
            if b'"key:simulated"' in recorded.metadata and recorded.command_id not in sent:
                raise Broken("only what was sent is recorded", f"{recorded.stream_id}")


def positions_have_no_gaps(evidence: Evidence) -> None:
    for partition, some in enumerate(evidence.partitions):
        positions = [seen.recorded.position for seen in some]
        if positions != list(range(1, len(some) + 1)):
            raise Broken("positions are 1…n", f"in partition {partition} they are {positions}")
        times = [seen.recorded.recorded_at for seen in some]
        if times != sorted(times):
            raise Broken("recorded times never go back", f"in partition {partition} they do")


def versions_are_contiguous(evidence: Evidence) -> None:
    for stream_id, seen in evidence.streams.items():
        versions = [each.recorded.version for each in seen]
        if versions != list(range(1, len(seen) + 1)):
            raise Broken("versions are 1…m in each stream", f"{stream_id} has {versions}")
        homes = Counter((each.recorded.partition, each.recorded.merchant_id) for each in seen)
        if len(homes) > 1:
            raise Broken("a stream lives in one place", f"{stream_id} lives in {list(homes)}")


def writers_kept_what_is_recorded(evidence: Evidence) -> None:
    """A folded state that a writer kept is that of the stream at its version."""
    for writer in evidence.writers:
        for lane in writer._lanes:
            for stream_id, kept in lane._executor._states._kept._kept.items():
                seen = evidence.streams.get(stream_id, [])[: kept.version]
                state = fold(seen) if seen else None
                if len(seen) != kept.version or state != kept.state:
                    raise Broken(
                        "folding again gives what writers kept",
                        f"{stream_id} at version {kept.version} is not {kept.state}",
                    )


def snapshots_are_what_is_recorded(evidence: Evidence) -> None:
    for stream_id, snapshot in evidence.snapshots.items():
        decider = DECIDERS[stream_id.partition("_")[0]]
        kept = CODEC.decode_state(snapshot.state, decider.state_type)
        if kept != fold(evidence.streams[stream_id][: snapshot.version]):
            raise Broken("folding again gives the snapshots", f"{stream_id} gives another state")


RULES: Final = (
    positions_have_no_gaps,
    versions_are_contiguous,
    acknowledged_is_there_once,
    answers_are_what_was_recorded,
    refused_is_not_there,
    nothing_is_recorded_that_nobody_sent,
    writers_kept_what_is_recorded,
    snapshots_are_what_is_recorded,
)
