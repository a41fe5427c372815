"""Whose verdict: how the endings of nested streams explain each other.

Theory of the machine
=====================

It is a pure function of facts. Facts go in one after the other: a stream started, ended for its reader, finished.
Streams that are settled come out, each once. A stream is *judged* when its verdict falls, and *settled* when it is
judged and has finished. The machine calls nobody but ``suspect``, reads no clock and does no I/O. It owns one node
for each stream that is not settled; a stream without a node is another process's, another watch's, or settled, and is
no parent of a new one.

The rules, under the numbers of ``docs/how-a-stream-is-judged.md``:

1. A verdict is fixed once: when the stream ends for its reader, or later, if the stream has to wait. Nothing that comes
   afterwards changes it.
2. *Up* (``going_up``). A stream that raises takes the verdict of the child whose exception it carries. A stream that
   ends normally takes the verdict of its last child, where that was cut without an exception: ``truncated``,
   ``length``, ``filtered``, a finish reason that means failure. A later HTTP attempt under the same model stream
   replaces that child. Through a tool only an exception passes. A ``TimeoutError`` over a child's ``CancelledError``
   shows a deadline between the two.
3. *Waiting* (``waiting``). A cancellation and a close come from above: their origin is the outermost stream that ended
   so. A child that ended so waits. Its verdict falls with its parent's; or alone, once the parent goes on with an item
   or with another child of that layer, or after ``PATIENCE`` seconds. So does a child that raised after its end had
   been delivered, and a body that ended without a word.
4. *Down* (``going_down``). When a verdict falls, it falls on each child that was only stopped, closed or still open,
   and that child keeps it. ``length``, ``filtered`` and a failed finish reason do not go down. A child that was
   cancelled before its end, and whose parent did without it, is judged alone. A stream that starts after its parent's
   verdict is judged alone, too, and is no origin if it is stopped with its parent.
5. A cut arises where it is seen: a status, a timer, a lost connection or a missing end in ``http``; what the model said
   in ``model``. ``rules`` has the table, ``alone`` the verdict of a stream that no other one explains.
6. Where nothing says how long a body should be, its reader may leave it: that is in the table too.
7. An end user who leaves is the end of what the server layer carried, and of what was stopped after that. The streams
   under a server layer that are still open go on: they may outlive the response.
"""

from typing import Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.body import finish_reasons
from autogen_streamtrace.core.evidence.body.finish_reasons import FinishReasons
from autogen_streamtrace.core.stream.state import Ending, StreamState
from autogen_streamtrace.core.verdict import alone, going_down, going_up, limits, waiting
from autogen_streamtrace.core.verdict.going_up import KEPT, Stray
from autogen_streamtrace.core.verdict.limits import Limit
from autogen_streamtrace.core.verdict.node import StreamNode, doing, evidence
from autogen_streamtrace.core.verdict.rules import Verdict, judge

PATIENCE: Final = 5.0
"""Seconds that a stopped stream waits for its parent's end."""

COMES_BACK: Final = 1.0
"""Seconds in which a reader who left its loop may come back."""

Settled = list[StreamNode]
"""The streams that a fact settled, in order."""


class Attribution:
    """The streams of a process that are not settled.

    Args:
        suspect: finds the limit that would explain an ending.
        reasons: the meanings of finish reasons; by default the built-in table.
    """

    def __init__(self, suspect: limits.Suspect = limits.no_suspicion, reasons: FinishReasons | None = None) -> None:
        self._suspect = suspect
        self._reasons = reasons if reasons is not None else finish_reasons.load()
        self.nodes: dict[StreamState, StreamNode] = {}
        """The nodes of all streams that are not settled, in the order in which they started."""
        self._adopted: dict[StreamState, StreamNode] = {}
        self._waiting: dict[StreamNode, None] = {}
        self._left: dict[StreamNode, Ending] = {}
        """The streams whose readers left their loop."""
        self._strays: tuple[Stray, ...] = ()
        """The newest last."""
        self._settled: Settled = []

    @property
    def open(self) -> list[StreamNode]:
        """Every stream that is not settled, in the order in which they started. Any thread may ask."""
        return list(self.nodes.values())

    @property
    def impatient(self) -> bool:
        """Some stream waits, so that ``tick`` has to be called."""
        return bool(self._waiting or self._left)

    # -- facts

    def started(self, state: StreamState) -> Settled:
        """Takes a stream's first read."""
        parent = self._enclosing(state)
        node = self.nodes[state] = StreamNode(state, parent, self._reasons)
        if parent is not None and parent.verdict is None:
            self._went_on(parent, state.layer)
            parent.has(node)
            if state.layer == sc.HTTP and parent.state.layer == sc.MODEL:
                parent.attempts += 1
                parent.inherited = parent.refused = None
        return self._take_settled()

    def ended(self, state: StreamState, ending: Ending) -> Settled:
        """Takes a stream's end for its reader; only the first one counts."""
        node = self.nodes.get(state)
        if node is not None:
            self._end(node, ending)
        return self._take_settled()

    def client_gone(self, state: StreamState, ending: Ending, idle: bool) -> Settled:
        """Takes that a server layer's end user is gone. Where ``idle``, it ends only if a stream inside is open."""
        node = self.nodes.get(state)
        if node is not None and (not idle or len(node.kids) > len(node.waiting_kids)):
            self._end(node, ending)
        return self._take_settled()

    def finished(self, state: StreamState, at: float) -> Settled:
        """Takes the finish of a stream that had ended for its reader."""
        node = self.nodes.get(state)
        if node is not None:
            self._finish(node, at)
        return self._take_settled()

    def tick(self, now: float) -> Settled:
        """Takes the time. Streams that have waited long enough for their parent are judged alone."""
        for node in list(self._waiting):
            if node.verdict is None and (waiting.parent_went_on(node) or now >= node.expires):
                self._fall_alone(node)
        for node, ending in list(self._left.items()):
            if node.ending is not None or node.state.asked > ending.at:
                del self._left[node]
            elif now >= ending.at + COMES_BACK:
                del self._left[node]
                for each in (*node.kids, node):
                    each.state.closed = each.state.finished = True
                    self._end(each, ending)
        return self._take_settled()

    def left(self, state: StreamState, ending: Ending) -> None:
        """Takes that a stream's reader left the loop in which it read; unless it is read again, ``tick`` ends it.

        The exchange below ends with it. Its body may stay open until a garbage collection, but nobody reads it.
        """
        node = self.nodes.get(state)
        if node is not None:
            self._left[node] = ending

    def stopped(self, loop: int, ending: Ending) -> Settled:
        """Takes that the event loop ``loop`` was closed: none of its streams can be read again."""
        for node in self.open:
            if node.state.loop == loop:
                self._end(node, ending)
                self._finish(node, ending.at)
        return self._take_settled()

    def killed(self, now: float, limit: Limit | None = None) -> Settled:
        """Takes the end of the process, and the limit that ended it: what is open was killed."""
        for node in self.open:
            if node.verdict is None:
                outermost = node.parent is None
                killed = Verdict(sc.KILLED, "process", *doing(node), "interpreter ended", outermost, limit=limit)
                self._fall(node, killed, now)
            self._end(node, Ending("closed", now))
            self._finish(node, now)
        return self._take_settled()

    def adopt(self, state: StreamState, verdict: Verdict) -> None:
        """Takes a stream that is judged already. What starts inside it is judged alone, and it is never settled."""
        node = self._adopted[state] = StreamNode(state, None, self._reasons)
        node.verdict = verdict

    # -- the life of a node

    def _enclosing(self, state: StreamState) -> StreamNode | None:
        above = state.parent
        while above is not None:
            node = self.nodes.get(above) or self._adopted.get(above)
            if node is not None:
                return node
            above = above.parent
        return None

    def _end(self, node: StreamNode, ending: Ending) -> None:
        if node.ending is not None:
            if ending.finished:
                self._finish(node, ending.at)
            return
        node.ending = ending
        node.state.read_tail()
        if ending.finished:
            node.finished_at = ending.at
        stopped = waiting.was_stopped(node)
        above = going_down.cut_above(node) if stopped or waiting.is_gone(ending) else None
        if node.verdict is not None:
            self._settle(node)
        elif above is not None and above.verdict is not None:
            self._fall(node, above.verdict._replace(origin=False), max(above.verdict_at, node.state.start))
        elif stopped and node.parent is not None and node.parent.verdict is None:
            self._wait(node, node.parent, ending.at + PATIENCE)
        else:
            self._fall(node, self._judge(node), ending.at)

    def _finish(self, node: StreamNode, at: float) -> None:
        if node.finished_at is None:
            node.finished_at = at
            self._settle(node)

    def _settle(self, node: StreamNode) -> None:
        if node.settled and self.nodes.pop(node.state, None) is not None:
            going_up.fill(node)
            self._settled.append(node)

    def _take_settled(self) -> Settled:
        settled, self._settled = self._settled, []
        return settled

    # -- waiting

    def _wait(self, node: StreamNode, parent: StreamNode, until: float) -> None:
        node.expires = until
        self._waiting[node] = None
        parent.keeps_waiting(node)

    def _went_on(self, parent: StreamNode, layer: sc.Layer) -> None:
        if waiting.shows_by_another(parent, layer):
            for kid in [each for each in parent.waiting_kids if each.state.layer == layer]:
                self._fall_alone(kid)

    # -- verdicts

    def _judge(self, node: StreamNode) -> Verdict:
        ending = node.ending
        assert ending is not None
        kids = list(node.kids)
        for kid in kids:
            going_up.hear(node, kid)
        seen = evidence(node)
        rule = judge(seen)
        for kid in kids:
            if waiting.ended_in_silence(kid) and not waiting.is_unparsable(ending, rule):
                self._fall_alone(kid)
        if ending.how == "raised":
            for kid, by_deadline in going_up.raisers(node):
                verdict = alone.struck(kid, self._suspect) if by_deadline else self._judge(kid)
                self._fall(kid, verdict, ending.at)
            for kid in going_up.refusals(node):
                self._fall(kid, alone.delivered(kid, self._suspect), ending.at)
            carried = going_up.carried(node, self._strays)
            if carried is not None:
                node.carries = True
                return carried
        if kids:  # their verdicts are evidence, too
            seen = evidence(node)
            rule = judge(seen)
        short = going_up.short(node, rule)
        if short is not None:
            node.carries = True
            return short._replace(origin=False)
        return alone.ended_alone(node, seen, rule, ending, self._suspect)

    def _fall(self, node: StreamNode, verdict: Verdict, at: float) -> None:
        """Gives a stream its verdict, hands it down to the children that it stopped, and notes it in the parent."""
        if node.verdict is not None:
            return
        node.verdict, node.verdict_at = verdict, at
        self._waiting.pop(node, None)
        for kid in list(node.kids):
            if not going_down.stays_open(kid, verdict):
                self._hand_down(node, kid, verdict, at)
            going_up.hear(node, kid)
        node.parts_with_all()
        if node.parent is not None:
            node.parent.parts_with(node)
            going_up.remember(node.parent, node, verdict)
        elif node.state.layer == sc.HTTP and node.ending is not None and node.ending.cause is not None:
            self._strays = (*self._strays[1 - KEPT :], Stray(node.state.start, node.ending.cause, verdict))
        self._settle(node)

    def _hand_down(self, node: StreamNode, kid: StreamNode, verdict: Verdict, at: float) -> None:
        if going_down.judged_alone(kid, verdict):
            self._fall_alone(kid)
        elif going_down.was_delivered(kid, verdict, at):
            self._fall(kid, alone.delivered(kid, self._suspect), at)
        elif node.carries:
            self._fall(kid, going_down.given_up(kid), at)
        else:
            self._fall(kid, verdict._replace(origin=False), at)

    def _fall_alone(self, node: StreamNode) -> None:
        assert node.ending is not None
        after_its_end = node.ending.how == "raised" and node.state.terminal
        verdict = alone.delivered(node, self._suspect) if after_its_end else self._judge(node)
        self._fall(node, verdict, node.ending.at)
