"""``kubectl approve`` and ``kubectl deny``: a person's answer to exactly the packet that was shown.

The plugin decides nothing: what it writes is what ``kubectl patch`` would write, and the API server's policy has the
last word. It adds that the packet is checked against its digest and read before it is answered.
"""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from typing import Literal

import click
from rich.console import Console

from firstresponder.api.approvalrequest import ApprovalRequest, Review
from firstresponder.api.base import condition
from firstresponder.api.incident import Incident
from firstresponder.api.packet import DecisionPacket
from firstresponder.cli.kubectl import Cluster, Refused
from firstresponder.cli.verified_packet import Tampered, verified_packet
from firstresponder.cli.views.packet import packet_view, reviews_view
from firstresponder.cli.views.terminal import console
from firstresponder.reporting.packet_text import packet_text
from firstresponder.reporting.report import moment, outstanding, reviews_of
from firstresponder.safety.neutralise import neutralise, shown

Verdict = Literal["Approved", "Denied"]

_REQUEST_KINDS = ("approvalrequest", "approvalrequests", "apr")
_INCIDENT_KINDS = ("incident", "incidents", "inc")


def answer(
    verdict: Verdict,
    name: str,
    comment: str | None,
    yes: bool,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """Show what is proposed, ask, and write the answer."""
    if comment is not None and len(comment) > 1024:
        raise click.BadParameter(f"{len(comment)} characters are too many: at most 1024", param_hint="--comment")
    cluster, out, now = Cluster.connect(kubeconfig, context, namespace), console(), datetime.now(UTC)
    user = cluster.whoami()
    request = find_request(cluster, name)
    review = Review(verdict=verdict, packet_digest=request.spec.packet_digest, comment=comment or None)
    given = request.spec.reviews.get(user)
    if given is not None and given.verdict == verdict:
        click.echo(f"You ({neutralise(user, 256)}) have already answered: {verdict}. A review is final.")
        return
    if problem := why_not(request, user, now):
        raise Refused(problem)
    try:
        verified = verified_packet(request)
        if verdict == "Approved":  # a denial can do no harm, whatever it answers
            _check_derivation(cluster, request, verified)
        packet = packet_text(verified)
    except Tampered as problem:
        raise Refused(
            f"do not trust ApprovalRequest {request.name}: {problem}. Nothing was written. The operator "
            "made no such request: notify whoever administers First Responder"
        ) from None
    where = f"incident {request.spec.incident_ref.name}, namespace {cluster.namespace}"
    out.print(f"ApprovalRequest {request.name} ({where})\n", style="bold")
    out.print(packet_view(packet, now))
    out.print(reviews_view(reviews_of(request), request.spec.required_approvals, outstanding(request)))
    out.print(f"\nYou are {neutralise(user, 256)}. The same without this plugin:")
    out.print(patch_line(cluster, request, user, review) + "\n", soft_wrap=True)
    if not yes:
        _ask(out, verdict, packet.action, packet.acknowledge if verdict == "Approved" else ())
    written = cluster.review(request.name, user, review)
    _confirm(out, verdict, written, user, cluster.namespace)


def find_request(cluster: Cluster, name: str) -> ApprovalRequest:
    """The request of that name, or the open one of the incident of that name. Raises Refused."""
    kind, _, bare = name.rpartition("/")
    kind = kind.partition(".")[0]
    if kind and kind not in _REQUEST_KINDS + _INCIDENT_KINDS:
        raise click.BadParameter(
            f"{neutralise(kind, 64)}: write approvalrequest/NAME or incident/NAME", param_hint="NAME"
        )
    request = cluster.request(bare) if kind not in _INCIDENT_KINDS else None
    incident = cluster.incident(bare) if kind not in _REQUEST_KINDS else None
    if incident is None:
        if request is None:
            raise Refused(
                f"there is no {kind or 'approvalrequest or incident'} {bare} in namespace {cluster.namespace}"
            )
        return request
    ref = incident.status.approval_request_ref
    if request is not None:
        raise Refused(
            f"{bare} is both an approvalrequest (of incident {request.spec.incident_ref.name}) and an incident: "
            f"write approvalrequest/{bare} or incident/{bare}"
        )
    if ref is None or (found := cluster.request(ref.name)) is None:
        raise Refused(f"incident {bare} asks for no approval: its phase is {incident.status.phase}")
    if found.spec.incident_ref.uid != incident.metadata.uid:
        raise Refused(f"ApprovalRequest {found.name} is for another incident than {bare}")
    return found


def _check_derivation(cluster: Cluster, request: ApprovalRequest, packet: DecisionPacket) -> None:
    """Raises Refused, Tampered."""
    from firstresponder.cli.derived_packet import check_derivation  # noqa: PLC0415 - decides all again; a denial need not
    from firstresponder.cli.pinned import pinned  # noqa: PLC0415

    incident = _incident_of(cluster, request)
    check_derivation(packet, incident, *pinned(cluster, incident))


def _incident_of(cluster: Cluster, request: ApprovalRequest) -> Incident:
    """The incident that the request is for. Raises Refused."""
    ref = request.spec.incident_ref
    incident = cluster.the_incident(ref.name)
    if incident.metadata.uid != ref.uid:
        raise Refused(f"ApprovalRequest {request.name} is for an incident {ref.name} that was deleted")
    return incident


def why_not(request: ApprovalRequest, user: str, now: datetime) -> str | None:
    """Why the request can take no answer from this user now; None if it can."""
    spec, name = request.spec, request.name
    closed = condition(request.status.conditions, "Closed")
    if closed is not None and closed.status == "True":
        detail = f": {shown(closed.message, 500)}" if closed.message else ""
        return f"ApprovalRequest {name} is closed ({closed.reason}){detail}"
    if request.metadata.deletion_timestamp is not None:
        return f"ApprovalRequest {name} is being deleted"
    if now >= spec.expiration_time:
        return f"ApprovalRequest {name} expired at {moment(spec.expiration_time)}; nothing will run from it"
    if user in spec.reviews:
        return f"you ({neutralise(user, 256)}) have already answered: {spec.reviews[user].verdict}. A review is final"
    denials = [each for each, review in spec.reviews.items() if review.verdict == "Denied"]
    if denials:
        return f"ApprovalRequest {name} was already denied by {neutralise(', '.join(sorted(denials)), 512)}"
    return None


def patch_line(cluster: Cluster, request: ApprovalRequest, user: str, review: Review) -> str:
    """The kubectl command that writes the same review, quoted for a shell."""
    patch = json.dumps({"spec": {"reviews": {user: review.wire()}}}, separators=(",", ":"))
    target = ["approvalrequests.firstresponder.dev", request.name, "-n", cluster.namespace]
    return shlex.join(["kubectl", *cluster.flags, "patch", *target, "--type=merge", "-p", patch])


def _ask(out: Console, verdict: Verdict, action: str, acknowledge: tuple[str, ...]) -> None:
    questions = [f"Do you accept: {text}?" for text in acknowledge]
    verb = "Approve" if verdict == "Approved" else "Deny"
    for question in [*questions, f"{verb}: {action}?"]:
        out.print(f"{question} Type yes: ", end="", style="bold", soft_wrap=True)
        try:
            answer = input()
        except EOFError:
            out.print()
            raise Refused("no answer, so nothing was written (--yes answers without a terminal)") from None
        if answer.strip().lower() != "yes":
            raise Refused("declined: nothing was written")


def _confirm(out: Console, verdict: Verdict, request: ApprovalRequest, user: str, namespace: str) -> None:
    missing, name = outstanding(request), neutralise(user, 256)
    incident = request.spec.incident_ref.name
    if verdict == "Denied":
        text = f"Denied as {name}. Nothing will run; the incident is escalated."
    elif missing:
        text = f"Approved as {name}. {missing} more needed before anything runs."
    else:
        text = f"Approved as {name}. The operator checks everything once more, then acts."
    out.print(text, style="bold green" if verdict == "Approved" else "bold red")
    out.print(f"Follow it: kubectl incident describe {incident} -n {namespace}", soft_wrap=True)
