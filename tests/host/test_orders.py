"""Acting: an order runs at most once, only here, only now, and the host can prove what became of it."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.host.conftest import Runs
from tests.host.wire import Answer, Order, Wire
from tests.testbed.hosts import Host
from tests.testbed.processes import wait_until

LEDGER = "/var/lib/firstresponder/claims"


def wait_until_it_runs(wire: Wire, order: Order, runs: Runs) -> None:
    """A unit is active before its program has done anything."""
    wait_until(lambda: wire.status(order).state == "running", 60, "the order runs")
    wait_until(lambda: runs.count() == 1, 60, "its action writes its line")


class Sent:
    """An order under way, sent from a thread of its own; its action has begun to run."""

    def __init__(self, wire: Wire, order: Order, runs: Runs) -> None:
        self._answers: list[Answer] = []
        self._thread = threading.Thread(target=lambda: self._answers.append(wire.act(order.text)))
        self._thread.start()
        wait_until_it_runs(wire, order, runs)

    def answer(self) -> Answer:
        self._thread.join()
        return self._answers[0]


def test_an_order_runs_its_action_and_answers_how_it_ended(wire: Wire, runs: Runs) -> None:
    order = wire.order("note", "hello")
    answer = wire.act(order.text)
    assert answer.exit_status == 0
    assert answer.output == ["argument=hello"]
    assert runs.lines() == ["hello"]
    expected = {"id": order.id, "boot": order.boot, "state": "finished", "claimBoot": order.boot, "action": "note"}
    ended = {"finishBoot": order.boot, "result": "success", "code": "exited", "exit": "0"}
    assert answer.fields == answer.fields | expected | ended
    assert order.notafter - 600 <= float(answer.fields["claimedAt"]) <= float(answer.fields["finishedAt"])


def test_the_answer_can_be_asked_for_again(wire: Wire, runs: Runs) -> None:
    order = wire.order("note", "again")
    assert wire.status(order).state == "absent"
    answer = wire.act(order.text)
    assert wire.status(order) == answer
    assert runs.count() == 1


def test_a_failing_action_is_an_answer_and_not_a_refusal(wire: Wire, runs: Runs) -> None:
    answer = wire.act(wire.order("fail").text)
    assert (answer.exit_status, answer.state) == (0, "finished")
    assert (answer.fields["result"], answer.fields["code"], answer.fields["exit"]) == ("exit-code", "exited", "3")
    assert runs.count() == 1


def test_arguments_arrive_as_they_were_sent(wire: Wire, runs: Runs) -> None:
    arguments = ("$HOME %n $(id) ; rm -rf /", "", "--help", "  two  spaces ", "`id` ${PATH} $$ \\n 'a' \"b\" *")
    answer = wire.act(wire.order("note", *arguments).text)
    assert answer.output == [f"argument={argument}" for argument in arguments]
    assert runs.count() == 1


def test_eight_deliveries_at_once_run_it_once(wire: Wire, runs: Runs) -> None:
    order = wire.order("note", "once")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(wire.act, [order.text] * 8))
    assert runs.lines() == ["once"]
    assert all(answer.state in {"finished", "running"} or answer.refused for answer in answers)
    assert wire.status(order).state == "finished"


def test_a_replay_is_refused(wire: Wire, runs: Runs) -> None:
    order = wire.order("note", "once")
    wire.act(order.text)
    answer = wire.act(order.text)
    assert (answer.exit_status, answer.refused) == (78, "claimed")
    assert runs.count() == 1


REFUSALS = {
    "another host": ({"host": "0" * 32}, "other host"),
    "another boot": ({"boot": "00000000-0000-0000-0000-000000000000"}, "other boot"),
    "expired by the clock": ({"notafter": 1_700_000_000}, "expired (clock)"),
    "expired by the uptime": ({"notafteruptime": 1}, "expired (uptime)"),
    "a clock expiry over a day ahead": ({"notafter": 90_000_000_000}, "expiry is more than 24 h ahead"),
    "an uptime expiry over a day ahead": ({"notafteruptime": 90_000_000_000}, "expiry is more than 24 h ahead"),
    "an action that is not declared": ({"action": "reformat"}, "action not declared on this host"),
    "an action that is a path": ({"action": "../../../bin/sh"}, "malformed order: line 4 must be a valid action"),
    "a time-out of more than a day": ({"timeout": 86401}, "malformed order: timeout is more than 24 h"),
    "a newline in an argument": ({"arguments": ("a\nhost x",)}, "malformed order: line 6 must be a valid timeout"),
}


@pytest.mark.parametrize(("change", "reason"), REFUSALS.values(), ids=REFUSALS.keys())
def test_an_order_is_refused_for(
    wire: Wire, runs: Runs, change: dict[str, str | int | tuple[str, ...]], reason: str
) -> None:
    order = wire.order("note").but(**change)
    answer = wire.act(order.text)
    assert (answer.exit_status, answer.fields) == (78, {"refused": reason})
    assert wire.status(order).state == "absent"
    assert runs.count() == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("attempt", "Attempt"),
        lambda text: text + "sudo yes\n",
        lambda text: text + text,
        lambda text: text.replace("timeout 60\n", "timeout 60\ntimeout 60\n"),
        lambda text: text.replace("timeout 60\n", ""),
        lambda text: text.replace("timeout 60\n", "timeout 060\n"),
        lambda text: text.replace("timeout 60\n", "timeout a[$(touch /root/ran)]\n"),
        lambda text: text.replace("order firstresponder.dev/v1", "order firstresponder.dev/v2"),
        lambda text: text.removesuffix("\n"),
        lambda text: text.replace("note", "note\r"),
        lambda text: text.replace("note", "nöte"),
        lambda text: text.replace("note", "note\0"),
        lambda text: text.replace("timeout", "".join(f"arg {n:01000}\n" for n in range(40)) + "timeout"),
        lambda _: "",
        lambda _: "\n",
        lambda _: "status ../../etc\n",
        lambda _: "seal\n",
        lambda _: "execute x y\n",
    ],
)
def test_a_malformed_request_is_refused(wire: Wire, runs: Runs, spoil: Callable[[str], str]) -> None:
    answer = wire.act(spoil(wire.order("note").text))
    assert answer.exit_status == 78
    assert answer.refused
    assert runs.count() == 0


def launch(host: Host, order: Order) -> str:
    """Start an order's unit as a request does that has passed all its own checks. Why the unit refused."""
    request = f"/run/firstresponder/requests/{order.id[:8]}"
    host.write(f"{request}/order", order.text)
    program = "/usr/local/libexec/firstresponder-act"
    unit = [f"--unit=fr-{order.id}", "--property=Type=oneshot", f"--property=ExecStopPost={program} finish {order.id}"]
    host.run(["systemd-run", "--quiet", "--collect", *unit, program, "execute", order.id, request], check=False)
    return host.read(f"{request}/refusal").strip()


def test_expiry_is_looked_at_inside_the_unit_too(host: Host, wire: Wire, runs: Runs) -> None:
    """An order may wait between the request and its unit; what counts is the moment before it is claimed."""
    late = wire.order("note").but(notafter=1_700_000_000)
    assert launch(host, late) == "refused=expired (clock)"
    assert wire.status(late).state == "absent"
    late = wire.order("note").but(notafteruptime=1)
    assert launch(host, late) == "refused=expired (uptime)"
    assert wire.status(late).state == "absent"
    assert runs.count() == 0


@pytest.mark.parametrize("forgotten", ["", "/run/firstresponder", LEDGER], ids=["nothing", "run", "ledger"])
def test_a_second_unit_of_an_order_neither_runs_nor_rewrites_the_result(
    host: Host, wire: Wire, runs: Runs, forgotten: str
) -> None:
    """Two requests may both have looked before either claimed; then the second unit follows the first."""
    order = wire.order("note", "once")
    ended = wire.act(order.text)
    if forgotten:
        host.run(["rm", "-r", f"{forgotten}/{order.id}"])
    assert launch(host, order) == "refused=claimed"
    assert wire.status(order) == ended
    assert runs.count() == 1


def test_a_sealed_order_never_runs(wire: Wire, runs: Runs) -> None:
    order = wire.order("note")
    sealed = wire.seal(order)
    assert (sealed.exit_status, sealed.state, sealed.fields["sealedBoot"]) == (0, "sealed", order.boot)
    assert wire.act(order.text).refused == "claimed"
    assert wire.status(order) == sealed == wire.seal(order)
    assert runs.count() == 0


def test_the_observing_account_is_told_the_same_with_the_uptime_and_can_neither_run_nor_seal(
    wire: Wire, runs: Runs
) -> None:
    def told(order: Order) -> Answer:
        return Answer.of(wire.ssh(wire.host.observe_user, f"ledger {order.id}\n"))

    order = wire.order("note", "seen")
    before = int(wire.info()["uptime"])
    absent = told(order)
    assert absent.state == "absent"
    assert before <= int(absent.fields["uptime"]) <= int(wire.info()["uptime"])
    wire.act(order.text)
    ended, status = told(order), wire.status(order)
    assert (ended.fields | {"uptime": "0"}, ended.output) == (status.fields | {"uptime": "0"}, status.output)
    for request in (f"seal {order.id}\n", order.text, f"ledger {order.id[1:]}\n", "ledger ../x\n"):
        assert wire.ssh(wire.host.observe_user, request).returncode == 78
    assert runs.count() == 1


def test_a_seal_after_the_run_changes_nothing(wire: Wire, runs: Runs) -> None:
    order = wire.order("note", "before")
    ended = wire.act(order.text)
    assert wire.seal(order) == ended
    assert runs.count() == 1


def test_of_a_seal_and_an_order_that_race_exactly_one_wins(wire: Wire, runs: Runs) -> None:
    winners: list[str | None] = []
    ahead = 0.05  # seconds by which the order is sent first: it needs longer to its decision
    with ThreadPoolExecutor(2) as pool:
        while len(winners) < 12 or set(winners) != {"sealed", "finished"}:  # until each has won
            round_ = len(winners)
            order = wire.order("note", f"round {round_}")
            ordered = pool.submit(wire.act, order.text)
            time.sleep(ahead)
            sealed = pool.submit(wire.seal, order)
            ordered.result(), sealed.result()
            state = wire.status(order).state
            assert state in {"sealed", "finished"}
            assert (f"round {round_}" in runs.lines()) == (state == "finished")
            winners.append(state)
            ahead *= 1.5 if state == "sealed" else 0.5  # the other one's turn: so the race stays close


def test_while_one_order_runs_another_is_refused_unclaimed(host: Host, wire: Wire, runs: Runs) -> None:
    runs.hold()
    first, second = wire.order("hold").but(timeout=77), wire.order("note", "second")
    sent = Sent(wire, first, runs)
    limit = ["systemctl", "show", "--value", "--property=TimeoutStartUSec", f"fr-{first.id}.service"]
    assert host.run(limit).stdout == "1min 17s\n"
    assert wire.act(second.text).refused == "busy"
    assert wire.status(second).state == "absent"
    assert wire.seal(first).state == "running", "too late to stop it"
    runs.let_go()
    assert sent.answer().state == "finished"
    assert wire.act(second.text).state == "finished"
    assert runs.lines() == ["hold", "second"]


def test_while_systemd_does_not_answer_an_order_that_runs_is_not_called_dead(
    host: Host, wire: Wire, runs: Runs
) -> None:
    runs.hold()
    order = wire.order("hold")
    sent = Sent(wire, order, runs)
    sockets = ("/run/systemd/private", "/run/dbus/system_bus_socket")
    for socket in sockets:
        host.run(["mv", socket, f"{socket}.away"])
    try:
        answer = wire.status(order)
    finally:
        for socket in sockets:
            host.run(["mv", f"{socket}.away", socket])
    assert (answer.exit_status, answer.state) == (74, None)
    assert answer.refused == "ledger error: systemd does not say what runs"
    runs.let_go()
    sent.answer()  # whatever it says: it may have met the same
    wait_until(lambda: wire.status(order).state == "finished", 60, "the order ends")
    assert runs.count() == 1


def test_a_lost_connection_does_not_stop_the_action(wire: Wire, runs: Runs) -> None:
    runs.hold()
    order = wire.order("hold")
    argv = wire.ssh_argv(wire.host.act_user, options=["-oControlPath=none"])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as client:
        assert client.stdin is not None
        client.stdin.write(order.text)
        client.stdin.close()
        wait_until(lambda: wire.status(order).state == "running", 60, "the order runs")
        client.kill()
    runs.let_go()
    wait_until(lambda: wire.status(order).state == "finished", 60, "the order ends")
    assert wire.status(order).fields["result"] == "success"
    assert runs.count() == 1


@pytest.mark.parametrize(
    ("command", "result"),
    [(["kill", "--signal=KILL"], ("signal", "killed", "KILL")), (["stop"], ("signal", "killed", "TERM"))],
    ids=["killed", "stopped"],
)
def test_an_action_that_another_administrator_ended_is_recorded_so(
    host: Host, wire: Wire, runs: Runs, command: list[str], result: tuple[str, str, str]
) -> None:
    order = wire.order("linger", "4242")
    sent = Sent(wire, order, runs)
    host.run(["systemctl", *command, f"fr-{order.id}.service"])
    fields = sent.answer().fields
    assert fields["state"] == "finished"
    # systemd calls a service that was asked to stop successful; that a signal ended it is told by the code.
    assert (fields["code"], fields["exit"]) == result[1:]
    assert wire.act(order.text).refused == "claimed"
    assert runs.count() == 1


def test_a_time_out_leaves_nothing_of_the_action(host: Host, wire: Wire, runs: Runs) -> None:
    answer = wire.act(wire.order("stubborn").but(timeout=4).text)
    assert (answer.state, answer.fields["result"], answer.fields["code"]) == ("finished", "timeout", "killed")
    assert host.run(["pgrep", "--full", "sleep 424"], check=False).stdout == ""
    assert runs.count() == 1


def test_what_an_action_leaves_behind_ends_with_it(host: Host, wire: Wire, runs: Runs) -> None:
    answer = wire.act(wire.order("leave-behind").text)
    assert (answer.fields["result"], answer.output) == ("success", ["done"])
    assert host.run(["pgrep", "--full", "sleep 424"], check=False).stdout == ""
    assert runs.count() == 1


def test_five_megabytes_of_output_are_capped_and_the_action_completes(host: Host, wire: Wire, runs: Runs) -> None:
    order = wire.order("talk")
    answer = wire.act(order.text)
    assert answer.fields["result"] == "success"
    assert runs.lines() == ["talk", "to the end"]
    assert [len(line) for line in answer.output] == [8192]
    kept = host.run(["stat", "--format=%s", f"{LEDGER}/{order.id}/output"]).stdout
    assert int(kept) == 65536


FULL = pytest.mark.parametrize("files_too", [True, False], ids=["nothing can be made", "nothing can be written"])
ROOM = f"{LEDGER}/.room"


@FULL
def test_on_a_full_disk_the_orders_of_a_packet_run_in_the_room_that_was_kept_for_them(
    host: Host, wire: Wire, runs: Runs, files_too: bool
) -> None:
    orders = [wire.order("note", f"number {number}") for number in range(8)]
    host.fill_disk(files_too=files_too)
    try:
        assert wire.info()["ledger"] == ""
        answers = [wire.act(order.text) for order in orders]
        # An action that writes to the full disk cannot leave its trace there; what it printed is one too.
        assert [(answer.state, answer.output[-1]) for answer in answers] == [
            ("finished", f"argument=number {number}") for number in range(8)
        ]
        assert wire.act(orders[0].text).refused == "claimed"
    finally:
        host.free_disk()
    for order, answer in zip(orders, answers, strict=True):
        host.run(["rm", "-r", f"/run/firstresponder/{order.id}"])
        assert wire.status(order).fields == answer.fields, "its claim and its result are on disk"
        assert wire.act(order.text).refused == "claimed"
    wire.act(wire.order("note", "afterwards").text)
    assert runs.lines() == ["afterwards"], "no order ran once more"
    assert len(host.run(["ls", ROOM]).stdout.split()) == 16, "room is kept again"


@pytest.fixture
def no_room(host: Host) -> Iterator[None]:
    host.run(["rm", "-r", ROOM])
    yield
    host.free_disk()
    host.run(["/usr/local/libexec/firstresponder-act", "room"])


@FULL
def test_when_that_room_is_gone_too_the_host_says_so_nothing_runs_and_the_order_can_be_sealed(
    host: Host, wire: Wire, runs: Runs, no_room: None, files_too: bool
) -> None:
    order = wire.order("note")
    host.fill_disk(files_too=files_too)
    assert "the room kept for orders is used up: free some (df " in wire.info()["ledger"]
    answer = wire.act(order.text)
    assert answer.exit_status == 74
    assert answer.refused is not None
    assert answer.refused.startswith("ledger error")
    assert wire.status(order).state == "absent"
    assert wire.seal(order).state == "sealed"
    host.free_disk()
    assert wire.info()["ledger"] == ""
    assert wire.status(order).state == "sealed"
    assert wire.act(order.text).refused == "claimed"
    assert runs.count() == 0


def test_after_a_full_disk_the_same_order_can_still_run(host: Host, wire: Wire, runs: Runs, no_room: None) -> None:
    order = wire.order("note")
    host.fill_disk()
    assert wire.act(order.text).exit_status == 74
    host.free_disk()
    assert wire.act(order.text).state == "finished"
    assert runs.count() == 1


def test_a_ledger_that_cannot_be_written_to_or_is_not_there_is_known_before_an_order(
    host: Host, wire: Wire, runs: Runs
) -> None:
    order = wire.order("note")
    host.run(["mount", "--bind", LEDGER, LEDGER])
    try:
        host.run(["mount", "-o", "remount,bind,ro", LEDGER])
        assert "its file system is read-only" in wire.info()["ledger"]
        assert wire.act(order.text).exit_status == 74
    finally:
        host.run(["umount", LEDGER])
    host.run(["mv", LEDGER, f"{LEDGER}.away"])
    try:
        assert "is not there: run host/install" in wire.info()["ledger"]
    finally:
        host.run(["mv", f"{LEDGER}.away", LEDGER])
    assert wire.info()["ledger"] == ""
    assert wire.act(order.text).state == "finished"
    assert runs.count() == 1


def test_a_full_run_is_known_before_an_order_and_leaves_no_half_claim(host: Host, wire: Wire, runs: Runs) -> None:
    order = wire.order("note")
    host.run(["sh", "-c", "cat /dev/zero >/run/fill 2>/dev/null || true"])
    try:
        assert wire.info()["ledger"].startswith("/run is full")
        assert wire.act(order.text).exit_status in {74, 78}
    finally:
        host.run(["rm", "/run/fill"])
    assert wire.status(order).state == "absent"
    assert wire.act(order.text).state == "finished"
    assert runs.count() == 1


def test_a_claim_that_fails_for_want_of_room_in_run_keeps_the_room_on_disk(host: Host, wire: Wire, runs: Runs) -> None:
    host.run(["sh", "-c", "cat /dev/zero >/run/fill 2>/dev/null || true"])
    refusals = []
    try:
        for _ in range(12):  # page by page, until the request finds a place and its claim does not
            host.run(["truncate", "--size=-4096", "/run/fill"])
            refusals.append(str(wire.act(wire.order("note").text).refused))
            if refusals[-1].startswith("ledger error: cannot write /run/firstresponder/"):
                break
    finally:
        host.run(["rm", "/run/fill"])
    assert refusals[-1].startswith("ledger error: cannot write /run/firstresponder/"), refusals
    assert runs.count() == 0
    assert len(host.run(["ls", ROOM]).stdout.split()) == 16


def test_a_disk_that_fills_during_the_action_does_not_lose_its_result(host: Host, wire: Wire, runs: Runs) -> None:
    runs.hold()
    order = wire.order("hold")
    sent = Sent(wire, order, runs)
    host.fill_disk()
    try:
        runs.let_go()
        answer = sent.answer()
        assert (answer.state, answer.fields["result"]) == ("finished", "success")
    finally:
        host.free_disk()
    assert wire.act(order.text).refused == "claimed"
    assert runs.count() == 1


def test_a_wiped_ledger_does_not_make_an_order_new(host: Host, wire: Wire, runs: Runs) -> None:
    order = wire.order("note", "once")
    ended = wire.act(order.text)
    host.run(["rm", "-r", LEDGER])
    assert wire.act(order.text).refused == "claimed"
    assert wire.status(order) == ended == wire.seal(order)
    assert runs.count() == 1


def test_claims_outlive_what_is_in_memory(host: Host, wire: Wire, runs: Runs) -> None:
    order = wire.order("note", "once")
    ended = wire.act(order.text)
    host.run(["rm", "-r", f"/run/firstresponder/{order.id}"])
    assert wire.act(order.text).refused == "claimed"
    assert wire.status(order) == ended == wire.seal(order)
    assert runs.count() == 1


def test_a_power_cut_in_mid_action_leaves_a_claim_and_no_replay(host: Host, wire: Wire, runs: Runs) -> None:
    order = wire.order("linger", "4242")
    threading.Thread(target=wire.act, args=[order.text], daemon=True).start()
    wait_until_it_runs(wire, order, runs)
    host.reboot(hard=True)
    wire.disconnect()
    answer = wire.status(order)
    assert (answer.state, answer.fields["claimBoot"]) == ("claimed", order.boot)
    assert answer.fields["boot"] != order.boot
    assert wire.act(order.text).refused == "other boot"
    assert wire.seal(order) == answer
    assert runs.count() == 1


def test_an_orderly_reboot_in_mid_action_is_recorded_and_not_replayed(host: Host, wire: Wire, runs: Runs) -> None:
    order = wire.order("linger", "4242")
    threading.Thread(target=wire.act, args=[order.text], daemon=True).start()
    wait_until_it_runs(wire, order, runs)
    host.reboot()
    wire.disconnect()
    answer = wire.status(order)
    assert (answer.state, answer.fields["code"], answer.fields["finishBoot"]) == ("finished", "killed", order.boot)
    assert wire.act(order.text).refused == "other boot"
    assert runs.count() == 1


def test_records_are_forgotten_a_day_after_the_next_boot_and_never_before(host: Host, wire: Wire) -> None:
    def with_uptime(seconds: int) -> None:
        host.run(["umount", "/proc/uptime"], check=False)
        host.write("/root/uptime", f"{seconds}.00 0.00\n")
        host.run(["mount", "--bind", "/root/uptime", "/proc/uptime"])

    earlier = wire.order("note", "earlier")
    wire.act(earlier.text)
    host.reboot()
    wire.disconnect()
    this_boot = wire.order("note", "this boot")
    wire.act(this_boot.text)
    sealed = wire.order("note", "sealed")
    wire.seal(sealed)
    host.run(["find", LEDGER, "-exec", "touch", "--date=2001-01-01", "{}", "+"])
    try:
        with_uptime(86_399)
        wire.act(wire.order("note", "a day is not over").text)
        assert wire.status(earlier).state == "finished"
        with_uptime(86_500)
        wire.act(wire.order("note", "a day is over").text)
    finally:
        host.run(["umount", "/proc/uptime"])
    assert wire.status(earlier).state == "absent"
    assert wire.status(this_boot).state == "finished"
    assert wire.status(sealed).state == "sealed"
    assert host.run(["ls", LEDGER]).stdout.split().count(this_boot.id) == 1
