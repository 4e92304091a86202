"""The at-most-once protocol as an explicit-state model: one attempt, two replicas, one host, everything that can fail.

The model is a state (a tuple), and functions that yield the moves possible from it. Each rule of the protocol is a
switch of `Rules`, so that a test can take it away and see what it was for.

What may happen, as often as it likes and at any moment:

- both replicas act at once (the lease is not fencing); a replica stops for any time, or crashes and forgets what it
  had read; an API write is stored and its reply lost, or lost itself;
- an order or a seal that was sent is never delivered, delivered late, or delivered again and again (what was sent stays
  in the network for ever);
- the host reboots, alone or with what its ledger holds rolled back to anything it held before; the ledger is wiped
  while it is up; a write to the disk fails; the unit dies at any point without a result;
- a human approves, denies, aborts.

Bounds, each with what it leaves out:

- One attempt of one packet with one order. Further attempts are other ids with other packets; that a second
  order of a packet waits for the first to succeed is not modelled, nor is a second incident on the same host.
- Two replicas, explored up to their symmetry. Three (`World.replicas`) hold too, but take ten seconds.
- Boots: the packet's, and any later one. Boots after the packet's are not told apart, for nothing in the protocol does
  either. A virtual machine put back with its memory, so that an old boot goes on, is outside: /run comes back with it.
- Time: the order is valid; it is expired; the time-out and the margin have passed too. One clock for all: that clocks
  differ by less than the margin and that the host also counts its uptime is not modelled. The last moment comes only
  when no unit is alive (systemd's time-out ended it), so a host that stands still for longer than the margin between
  its last look and exec is outside.
- The host looks at boot and expiry and makes its first directory in one move.
- That the observing account can be asked (`acting_account_works` false, or any moment: see `send_or_seal`) is a move of
  its own; its key is not told apart from the acting one in any other way.
- An action's own failure is a result like success: `Outcome.RESULT`. That digests, guards, preconditions and the
  runbook's revision are read afresh is not modelled; "approved" stands for all of them.
- Safety is checked on every move. Of liveness: from every state, once faults and humans rest, the run comes to an end
  and has an outcome. How long faults may go on is not bounded, so neither is the time.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum
from itertools import product
from typing import NamedTuple

from tests.model.search import Step


@dataclass(frozen=True)
class Rules:
    """The rules of the protocol. All on is the protocol; one off is a way to get it wrong."""

    # Before the order is sent
    approval_required: bool = True  # without an approval nothing goes on
    request_consumed: bool = True  # the approval is marked Consumed, which closes it for reviews
    request_precondition: bool = True  # ... only if nobody wrote the request since it was read
    incident_precondition: bool = True  # Started is stored only if nobody wrote the Incident since it was read
    started_before_order: bool = True  # the order is sent only when Started is known to be stored
    lost_reply_read_again: bool = True  # a write without a reply is read again, never taken for stored
    # The order
    id_from_order: bool = True  # the attempt id is the order's digest, never random
    boot_from_packet: bool = True  # the order names the packet's boot, not the one read when it is sent
    order_bound_to_boot: bool = True  # the host refuses an order for another boot
    host_checks_expiry: bool = True  # ... and an expired one
    # The host
    claim_inside_unit: bool = True  # the unit claims, not the SSH command that starts it
    one_mkdir_decides: bool = True  # order and seal are decided by the same mkdir, not by a look beforehand
    claim_also_in_run: bool = True  # the claim is made in /run too, which no wiped ledger undoes
    claim_durable: bool = True  # the claim is on disk before exec
    dead_claim_refused: bool = True  # a claim with nothing alive behind it still refuses the order
    # What the answers mean
    dead_claim_indeterminate: bool = True  # ... and is nobody's "never ran"
    running_waited_for: bool = True  # no outcome while it runs
    never_ran_needs_seal: bool = True  # absent is not "never ran"; sealed is
    never_ran_in_started_boot: bool = True  # ... if it was sealed in the boot that Started names
    absence_needs_expiry: bool = True  # or absent where the host would refuse a first start by now
    absence_in_started_boot: bool = True  # ... in the boot that Started names
    outcome_precondition: bool = True  # an outcome is stored only if nobody wrote the Incident since it was read
    silence_ends_indeterminate: bool = True  # a host that does not answer is given up after the margin


@dataclass(frozen=True)
class World:
    """What the surroundings are like."""

    replicas: int = 2
    snapshots_restored: bool = True  # a reboot may roll the host's disk back
    ledger_wiped: bool = True  # the ledger on disk may vanish while the host is up
    host_answers: bool = True  # false: the host carries out what reaches it, but no answer comes back
    acting_account_works: bool = (
        True  # false: nothing can be sent or sealed, and only the observing account is answered
    )


class Violation(Enum):
    """The invariants, by what breaks them."""

    RAN_TWICE = "the attempt was executed twice"
    RAN_UNAPPROVED = "executed without an approval"
    RAN_DENIED = "executed although a denial was stored while the request was open"
    RAN_UNRECORDED = "executed without Consumed and Started stored"
    RAN_ABORTED = "executed although an abort was stored before Started"
    RAN_EXPIRED = "claimed for execution after its expiry"
    ACTED_AFTER_OUTCOME = "executed, or still executing, after an outcome was recorded"
    FALSE_OUTCOME = "the recorded outcome is not what happened"
    OUTCOME_CHANGED = "a recorded outcome was overwritten"
    NO_OUTCOME = "a complete run ended without an outcome"

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class Outcome(IntEnum):
    NONE = 0
    NOT_STARTED = 1  # escalated before Started: denied, expired, aborted, superseded
    NEVER_RAN = 2
    RESULT = 3  # the host's recorded result
    INDETERMINATE = 4


class Abort(IntEnum):
    NO = 0
    BEFORE_STARTED = 1
    AFTER_STARTED = 2


class Time(IntEnum):
    VALID = 0
    EXPIRED = 1  # notafter has passed
    OVER = 2  # ... and the time-out and the margin


class At(IntEnum):
    """Where a replica is: what it has read or written and acts on next."""

    NOTHING = 0
    INCIDENT = 1  # has read the Incident: no attempt, no abort
    REQUEST = 2  # has read the request too: approved, not denied, unexpired; will write Consumed
    CONSUMED = 3  # knows the request consumed, will write Started
    SEND = 4
    STARTED = 5  # has read the Incident: Started, no outcome; will ask the host
    STARTED_ABORTED = 6  # ... and aborted
    SEAL = 7
    RECORD = 8  # will write `outcome`


class Replica(NamedTuple):
    """What a replica holds in memory. `…_fresh`: nobody wrote the object since; a precondition holds just then."""

    at: At = At.NOTHING
    incident_fresh: bool = False
    request_fresh: bool = False
    outcome: Outcome = Outcome.NONE


class Mark(IntEnum):
    """What the ledger holds of an id."""

    NONE = 0
    CLAIMED = 1
    FINISHED = 2
    SEALED = 3  # in the packet's boot
    SEALED_LATER = 4  # in another boot


class Stage(IntEnum):
    REQUESTED = 0  # claimed by the SSH command, no unit yet (only without `claim_inside_unit`)
    LAUNCHED = 1  # the unit is alive and has claimed nothing
    MARKED = 2  # it made the directory in /run
    CLAIMED = 3  # it made the durable one, execs next
    RUNNING = 4


class Order(NamedTuple):
    id: int
    boot: int


class Unit(NamedTuple):
    order: Order
    stage: Stage


Ledger = tuple[Mark, Mark, Mark]
EMPTY: Ledger = (Mark.NONE, Mark.NONE, Mark.NONE)
PACKET_ID = 0  # the id of the order as the packet has it; others exist only when a rule is off
PACKET_BOOT, LATER_BOOT = 0, 1


class State(NamedTuple):
    # The ApprovalRequest
    approved: bool = False
    denied: bool = False
    consumed: bool = False
    # The Incident
    aborted: Abort = Abort.NO
    started: bool = False
    outcome: Outcome = Outcome.NONE
    # The replicas
    replicas: tuple[Replica, ...] = ()
    # The network: what was ever sent
    orders: frozenset[Order] = frozenset()
    seal_sent: bool = False
    # The host
    boot: int = PACKET_BOOT
    run: Ledger = EMPTY  # /run, emptied by a reboot
    disk: Ledger = EMPTY
    unit: Unit | None = None
    # The world
    time: Time = Time.VALID
    runs: int = 0


Steps = Iterator[Step[State]]


@dataclass(frozen=True)
class Model:
    """The protocol under some rules in some world: what `search.explore` asks for."""

    rules: Rules = Rules()
    world: World = World()

    def start(self) -> State:
        return State(replicas=(Replica(),) * self.world.replicas)

    def steps(self, state: State) -> Steps:
        yield from human(state)
        yield from clock(state)
        for which in range(len(state.replicas)):
            yield from replica(Turn(self, state, which))
        yield from host(self, state)
        yield from host_faults(self, state)

    def representative(self, state: State) -> Hashable:
        ordered = tuple(sorted(state.replicas))
        return state if ordered == state.replicas else state._replace(replicas=ordered)

    def broken_by(self, before: State, after: State) -> Iterator[Violation]:
        if after.runs != before.runs:
            yield from broken_by_running(before)
        if after.unit != before.unit and claims(before, after) and before.time is not Time.VALID:
            yield Violation.RAN_EXPIRED
        if after.outcome != before.outcome:
            if before.outcome:
                yield Violation.OUTCOME_CHANGED
            if after.unit and after.unit.stage >= Stage.MARKED:
                yield Violation.ACTED_AFTER_OUTCOME
        never = after.outcome in (Outcome.NOT_STARTED, Outcome.NEVER_RAN)
        if (never and after.runs) or (after.outcome is Outcome.RESULT and not after.runs):
            yield Violation.FALSE_OUTCOME

    def broken_at_the_end(self, state: State) -> Iterator[Violation]:
        if not state.outcome:
            yield Violation.NO_OUTCOME


def broken_by_running(before: State) -> Iterator[Violation]:
    if before.runs:
        yield Violation.RAN_TWICE
    if not before.approved:
        yield Violation.RAN_UNAPPROVED
    if before.denied:
        yield Violation.RAN_DENIED
    if not (before.consumed and before.started):
        yield Violation.RAN_UNRECORDED
    if before.aborted is Abort.BEFORE_STARTED:
        yield Violation.RAN_ABORTED
    if before.outcome:
        yield Violation.ACTED_AFTER_OUTCOME


def claims(before: State, after: State) -> bool:
    """Whether the host passes the point of decision for an order by this move."""
    was = before.unit.stage if before.unit else None
    now = after.unit.stage if after.unit else None
    return (was, now) in ((Stage.LAUNCHED, Stage.MARKED), (None, Stage.REQUESTED))


# ---------------------------------------------------------------------------------------------------------------------
# Humans and the clock


def human(state: State) -> Steps:
    """Reviews are refused on a consumed request; denial is final; an abort is one-way and always accepted."""
    if state.outcome:
        return
    if not state.consumed and not state.denied:
        if not state.approved:
            yield Step("human", "approves", request_written(state, approved=True), by_itself=False)
        yield Step("human", "denies", request_written(state, denied=True), by_itself=False)
    if not state.aborted:
        aborted = Abort.AFTER_STARTED if state.started else Abort.BEFORE_STARTED
        yield Step("human", "aborts", incident_written(state, aborted=aborted), by_itself=False)


def clock(state: State) -> Steps:
    if state.time is Time.VALID:
        yield Step("time", "the approval and the order expire", state._replace(time=Time.EXPIRED))
    elif state.time is Time.EXPIRED and not alive(state):
        yield Step("time", "the time-out and the margin pass", state._replace(time=Time.OVER))


# ---------------------------------------------------------------------------------------------------------------------
# A replica of the operator


class Turn(NamedTuple):
    """One replica's turn in one state."""

    model: Model
    state: State
    which: int

    @property
    def me(self) -> Replica:
        return self.state.replicas[self.which]

    def move(self, action: str, memory: Replica, state: State | None = None, by_itself: bool = True) -> Step[State]:
        """To `state` (as it is, if none is given), with `memory` for what the replica then holds."""
        after = self.state if state is None else state
        replicas = (*after.replicas[: self.which], memory, *after.replicas[self.which + 1 :])
        return Step(f"replica {self.which + 1}", action, after._replace(replicas=replicas), by_itself)

    def will_record(self, action: str, outcome: Outcome) -> Step[State]:
        return self.move(action, Replica(At.RECORD, self.me.incident_fresh, outcome=outcome))


def replica(turn: Turn) -> Steps:
    """The moves of one replica: the next step of the protocol, or a crash."""
    state, at = turn.state, turn.me.at
    if at is At.NOTHING:
        yield from read_incident(turn)
    elif at is At.INCIDENT:
        yield from read_request(turn)
    elif at is At.REQUEST:
        yield from write_consumed(turn)
    elif at is At.CONSUMED:
        yield from write_started(turn)
    elif at is At.SEND and not turn.model.world.acting_account_works:
        yield turn.move("cannot send the order", Replica())
    elif at is At.SEND:
        sent = state._replace(orders=state.orders | {order_to_send(turn.model, state)})
        yield turn.move("sends the order", Replica(), sent)
    elif at in (At.STARTED, At.STARTED_ABORTED):
        yield from ask_host(turn)
    elif at is At.SEAL:
        yield turn.move("sends the seal", Replica(), state._replace(seal_sent=True))
    else:
        yield from write_outcome(turn)
    if at:
        yield turn.move("crashes and starts again", Replica(), by_itself=False)


def read_incident(turn: Turn) -> Steps:
    """Step 3, first half; the rollback in after any doubt."""
    state = turn.state
    if state.outcome:
        return
    if state.started and state.aborted:
        yield turn.move("reads the Incident: Started, aborted", Replica(At.STARTED_ABORTED, incident_fresh=True))
    elif state.started:
        yield turn.move("reads the Incident: Started", Replica(At.STARTED, incident_fresh=True))
    elif state.aborted:
        escalate = Replica(At.RECORD, incident_fresh=True, outcome=Outcome.NOT_STARTED)
        yield turn.move("reads the Incident: aborted", escalate)
    else:
        yield turn.move("reads the Incident: nothing started", Replica(At.INCIDENT, incident_fresh=True))


def read_request(turn: Turn) -> Steps:
    """Step 3, second half. Live facts (unexpired, boot unchanged) are looked at in the same move."""
    state, rules = turn.state, turn.model.rules
    if state.denied:
        yield turn.will_record("reads the request: denied", Outcome.NOT_STARTED)
    elif state.time is not Time.VALID:
        yield turn.will_record("reads the request: expired", Outcome.NOT_STARTED)
    elif state.boot != PACKET_BOOT:
        yield turn.will_record("reads the request: the host has rebooted since", Outcome.NOT_STARTED)
    elif state.approved or not rules.approval_required:
        if state.consumed or not rules.request_consumed:
            knows = Replica(At.CONSUMED, turn.me.incident_fresh)
            yield turn.move("reads the request: ready for Started", knows)
        else:
            knows = Replica(At.REQUEST, turn.me.incident_fresh, request_fresh=True)
            yield turn.move("reads the request: ready for Consumed", knows)


def write_consumed(turn: Turn) -> Steps:
    """Step 4."""
    accepted = turn.me.request_fresh or not turn.model.rules.request_precondition
    stored = request_written(turn.state, consumed=True) if accepted else None
    yield from write(turn, "Consumed", stored, Replica(At.CONSUMED, turn.me.incident_fresh))


def write_started(turn: Turn) -> Steps:
    """Step 5."""
    state, rules = turn.state, turn.model.rules
    accepted = turn.me.incident_fresh or not rules.incident_precondition
    stored = incident_written(state, started=True) if accepted else None
    yield from write(turn, "Started", stored, Replica(At.SEND))
    order = order_to_send(turn.model, state)
    if not rules.started_before_order and order not in state.orders:
        sent = state._replace(orders=state.orders | {order})
        yield turn.move("sends the order before it writes Started", turn.me, sent)


def write_outcome(turn: Turn) -> Steps:
    """Step 9."""
    accepted = turn.me.incident_fresh or not turn.model.rules.outcome_precondition
    stored = incident_written(turn.state, outcome=turn.me.outcome) if accepted else None
    yield from write(turn, f"the outcome {turn.me.outcome.name}", stored, Replica())


def write(turn: Turn, what: str, stored: State | None, then: Replica) -> Steps:
    """One API write: refused with 409 (`stored` is None), answered, stored without a reply, or lost on its way."""
    in_doubt = Replica() if turn.model.rules.lost_reply_read_again else then
    if stored is None:
        yield turn.move(f"writes {what}: refused, 409", Replica())
    else:
        yield turn.move(f"writes {what}: stored", then, stored)
        yield turn.move(f"writes {what}: stored, the reply is lost", in_doubt, stored, by_itself=False)
    yield turn.move(f"writes {what}: lost, no reply", in_doubt, by_itself=False)


def ask_host(turn: Turn) -> Steps:
    """Step 8's question, after Started was read."""
    if turn.model.world.host_answers:
        yield from hear_answer(turn)
    if turn.state.time is Time.OVER and turn.model.rules.silence_ends_indeterminate:
        yield turn.will_record("asks the host: no answer any more", Outcome.INDETERMINATE)
    if not turn.me.incident_fresh:
        yield turn.move("is told that the Incident changed", Replica())


def hear_answer(turn: Turn) -> Steps:
    """Step 8's table. An answer that calls for nothing but asking again later is no move."""
    state, rules = turn.state, turn.model.rules
    mark = ledger_says(state)
    any_boot = not rules.never_ran_in_started_boot
    if mark is Mark.FINISHED:
        yield turn.will_record("asks the host: finished", Outcome.RESULT)
    elif mark is Mark.CLAIMED and alive(state):
        if not rules.running_waited_for:
            yield turn.will_record("asks the host: running", Outcome.INDETERMINATE)
    elif mark is Mark.CLAIMED:
        dead = Outcome.INDETERMINATE if rules.dead_claim_indeterminate else Outcome.NEVER_RAN
        yield turn.will_record("asks the host: claimed, nothing alive", dead)
    elif mark is Mark.SEALED or (mark is Mark.SEALED_LATER and any_boot):
        yield turn.will_record("asks the host: sealed", Outcome.NEVER_RAN)
    elif mark is Mark.SEALED_LATER:
        yield turn.will_record("asks the host: sealed in another boot", Outcome.INDETERMINATE)
    elif state.boot != PACKET_BOOT and not any_boot:
        yield turn.will_record("asks the host: absent, another boot", Outcome.INDETERMINATE)
        if not rules.absence_in_started_boot:
            yield turn.will_record("asks the host: absent in another boot, too late to begin", Outcome.NEVER_RAN)
    elif not rules.never_ran_needs_seal:
        yield turn.will_record("asks the host: absent", Outcome.NEVER_RAN)
    else:
        yield from send_or_seal(turn)


def send_or_seal(turn: Turn) -> Steps:
    """Absent: send the same order again while that may be, else seal. What is on its way already is not sent twice.

    The acting account may stop working at any moment, for one replica and not for the other: then the observing account
    is told the same, and that no first start is possible any more.
    """
    state, rules = turn.state, turn.model.rules
    if state.time is not Time.VALID or not rules.absence_needs_expiry:
        yield turn.will_record("asks the host as the observer: absent, too late to begin", Outcome.NEVER_RAN)
    if not turn.model.world.acting_account_works:
        return
    if state.time is Time.VALID and turn.me.at is At.STARTED:
        if order_to_send(turn.model, state) not in state.orders:
            yield turn.move("asks the host: absent, may be sent", Replica(At.SEND))
    elif not state.seal_sent:
        yield turn.move("asks the host: absent, is to be sealed", Replica(At.SEAL))


def order_to_send(model: Model, state: State) -> Order:
    """The id stands for the digest of the order's text: another boot in the text is another id."""
    boot = PACKET_BOOT if model.rules.boot_from_packet else state.boot
    if not model.rules.id_from_order:
        return Order(min(len(state.orders), len(EMPTY) - 1), boot)
    return Order(PACKET_ID if boot == PACKET_BOOT else PACKET_ID + 1, boot)


def request_written(
    state: State, approved: bool | None = None, denied: bool | None = None, consumed: bool | None = None
) -> State:
    """Whatever was read of the request before is stale now."""
    return state._replace(
        approved=state.approved if approved is None else approved,
        denied=state.denied if denied is None else denied,
        consumed=state.consumed if consumed is None else consumed,
        replicas=tuple(one._replace(request_fresh=False) for one in state.replicas),
    )


def incident_written(
    state: State, aborted: Abort | None = None, started: bool | None = None, outcome: Outcome | None = None
) -> State:
    """Whatever was read of the Incident before is stale now."""
    return state._replace(
        aborted=state.aborted if aborted is None else aborted,
        started=state.started if started is None else started,
        outcome=state.outcome if outcome is None else outcome,
        replicas=tuple(one._replace(incident_fresh=False) for one in state.replicas),
    )


# ---------------------------------------------------------------------------------------------------------------------
# The host


def host(model: Model, state: State) -> Steps:
    """Step 7, and the seal. A second order while a unit is alive is refused `busy` and leaves no trace."""
    if state.seal_sent:
        yield from seal(model, state)
    if state.unit is None:
        for order in state.orders:
            if valid(model, state, order) and free(model, state.run[order.id], state.disk[order.id]):
                yield from deliver(model, state, order)
    else:
        yield from inside_unit(model, state, state.unit)


def deliver(model: Model, state: State, order: Order) -> Steps:
    """The SSH command looks first, so that a hopeless order starts no unit; that look decides nothing."""
    if model.rules.claim_inside_unit:
        launched = state._replace(unit=Unit(order, Stage.LAUNCHED))
        yield Step("host", f"receives {named(order)}: starts the unit", launched)
    else:
        claimed = marked_in_run(model, state, order.id, Mark.CLAIMED)
        claimed = claimed._replace(disk=marked(state.disk, order.id, Mark.CLAIMED), unit=Unit(order, Stage.REQUESTED))
        yield Step("host", f"receives {named(order)}: claims it before the unit exists", claimed)


def inside_unit(model: Model, state: State, unit: Unit) -> Steps:
    """One after the other: look and claim in /run, claim on disk, exec, write the result."""
    order, stage = unit
    if stage is Stage.REQUESTED:
        yield Step("host", "the unit starts", state._replace(unit=Unit(order, Stage.CLAIMED)))
    elif stage is Stage.LAUNCHED:
        decided = free(model, state.run[order.id], state.disk[order.id]) or not model.rules.one_mkdir_decides
        if valid(model, state, order) and decided:
            claimed = marked_in_run(model, state, order.id, Mark.CLAIMED)
            how = "claims in /run" if model.rules.claim_also_in_run else "claims nothing in /run"
            yield Step("host", f"the unit {how}", claimed._replace(unit=Unit(order, Stage.MARKED)))
        else:
            yield Step("host", "the unit refuses the order", state._replace(unit=None))
    elif stage is Stage.MARKED:
        if free(model, state.disk[order.id]) or not model.rules.one_mkdir_decides:
            disk = marked(state.disk, order.id, Mark.CLAIMED)
            claimed = state._replace(disk=disk, unit=Unit(order, Stage.CLAIMED))
            yield Step("host", "the unit claims on disk", claimed)
        else:
            yield Step("host", "the unit is refused by the claim on disk", state._replace(unit=None))
    elif stage is Stage.CLAIMED:
        running = state._replace(unit=Unit(order, Stage.RUNNING), runs=state.runs + 1)
        yield Step("host", "EXECUTES the action", running)
    else:
        has_claim = state.disk[order.id] is Mark.CLAIMED
        disk = marked(state.disk, order.id, Mark.FINISHED) if has_claim else state.disk
        result = "its result is written" if has_claim else "its ledger is gone, no result"
        yield Step("host", f"the action ends, {result}", state._replace(disk=disk, unit=None))


def seal(model: Model, state: State) -> Steps:
    """Won in /run it counts; its copy on disk is best effort. A claim that is there first wins."""
    by_run = model.rules.claim_also_in_run
    mark = Mark.SEALED if state.boot == PACKET_BOOT else Mark.SEALED_LATER
    on_disk = state.disk[PACKET_ID]
    if state.run[PACKET_ID] or (not by_run and on_disk):
        return
    sealed = marked_in_run(model, state, PACKET_ID, mark)
    if by_run:
        yield Step("host", "receives the seal: sealed in /run only", sealed)
    if not on_disk:
        yield Step("host", "receives the seal: sealed", sealed._replace(disk=marked(state.disk, PACKET_ID, mark)))


def valid(model: Model, state: State, order: Order) -> bool:
    """The host's look at boot and expiry."""
    return (order.boot == state.boot or not model.rules.order_bound_to_boot) and (
        state.time is Time.VALID or not model.rules.host_checks_expiry
    )


def free(model: Model, *marks: Mark) -> bool:
    """Whether the mkdirs where these marks are would succeed."""
    return set(marks) <= ({Mark.NONE} if model.rules.dead_claim_refused else {Mark.NONE, Mark.CLAIMED})


def ledger_says(state: State) -> Mark:
    """What is known of the packet's order. The disk goes first: /run of a later boot never outweighs a claim there."""
    return state.disk[PACKET_ID] or state.run[PACKET_ID]


def alive(state: State) -> bool:
    return state.unit is not None and state.unit.stage is not Stage.REQUESTED


def marked(ledger: Ledger, attempt: int, mark: Mark) -> Ledger:
    first, second, third = (mark if place == attempt else was for place, was in enumerate(ledger))
    return first, second, third


def marked_in_run(model: Model, state: State, attempt: int, mark: Mark) -> State:
    return state._replace(run=marked(state.run, attempt, mark)) if model.rules.claim_also_in_run else state


def named(order: Order) -> str:
    boot = "the packet's boot" if order.boot == PACKET_BOOT else "a later boot"
    return f"order {order.id} for {boot}"


# ---------------------------------------------------------------------------------------------------------------------
# What befalls the host


def host_faults(model: Model, state: State) -> Steps:
    if state.unit:
        dead = "the disk is full or the unit is killed: it is gone without a result"
        yield Step("fault", dead, state._replace(unit=None), by_itself=False)
    if model.world.ledger_wiped and state.disk != EMPTY:
        yield Step("fault", "the ledger on disk is wiped", state._replace(disk=EMPTY), by_itself=False)
    rebooted = state._replace(boot=LATER_BOOT, run=EMPTY, unit=None)
    if rebooted != state:
        yield Step("fault", "the host reboots", rebooted, by_itself=False)
    if model.world.snapshots_restored or not model.rules.claim_durable:
        how = "a snapshot is restored" if model.world.snapshots_restored else "what was not synced is lost"
        for first, second, third in product(*map(so_far, state.disk)):
            rolled_back = rebooted._replace(disk=(first, second, third))
            if rolled_back != rebooted:
                yield Step("fault", f"the host reboots, {how}", rolled_back, by_itself=False)


def so_far(mark: Mark) -> tuple[Mark, ...]:
    """All that a ledger entry has been."""
    return tuple(dict.fromkeys((Mark.NONE, Mark.CLAIMED, mark) if mark is Mark.FINISHED else (Mark.NONE, mark)))
