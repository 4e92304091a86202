"""What every resource is made of: the model base, metadata, conditions, and the bounded scalar types.

Field names are snake_case here and camelCase on the wire. Every string, list and map is bounded, because
the API server refuses CEL rules over unbounded values (its cost estimate assumes the largest possible one).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

GROUP = "firstresponder.dev"
VERSION = "v1alpha1"
API_VERSION: Literal["firstresponder.dev/v1alpha1"] = "firstresponder.dev/v1alpha1"

JSON = Any
"""A value as JSON has it: null, boolean, number, string, list or map."""


BY_NAME: dict[str, JSON] = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
"""Of a list whose entries have names, each once."""


class ApiModel(BaseModel):
    """A part of a resource that people write: unknown fields are an error that names them."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        defer_build=True,
    )

    def wire(self) -> dict[str, JSON]:
        """The JSON form: camelCase keys, absent fields left out (never null)."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")


class OneOf(ApiModel):
    """A part that people write of which exactly one of several kinds has to be given, each in a field of its own."""

    kinds: ClassVar[tuple[str, ...]] = ()
    """Every kind, by the name that its field has in YAML."""

    @property
    def given(self) -> list[str]:
        """The kinds that are written there; more or less than one cannot be used."""
        fields = {field.alias: name for name, field in type(self).model_fields.items()}
        return [kind for kind in self.kinds if getattr(self, fields[kind]) is not None]


def exactly_one(kinds: Sequence[str]) -> dict[str, JSON]:
    """The rule for the API server that goes with OneOf."""
    return {
        "rule": f"[{', '.join(f'has(self.{kind})' for kind in kinds)}].filter(x, x).size() == 1",
        "message": f"give exactly one of {', '.join(kinds[:-1])} or {kinds[-1]}",
    }


def snake(camel: str) -> str:
    """``configValue`` → ``config_value``: a field's name here, of its name in YAML."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", camel).lower()


class StatusModel(ApiModel):
    """A part of a status: written only by the operator, read leniently so that a newer writer does no harm."""

    model_config = ConfigDict(extra="ignore")


_DURATION = r"^([0-9]{1,5}(d|h|m|s|ms)){1,4}$"
_DURATION_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_QUANTITY = r"^[0-9]{1,15}(\.[0-9]{1,3})?(Ki|Mi|Gi|Ti|k|M|G|T)?$"
_QUANTITY_UNITS = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


def duration_seconds(text: str) -> float:
    """The length in seconds of a duration such as ``1h30m`` or ``500ms``. Raises ValueError."""
    if not re.fullmatch(_DURATION, text):
        raise ValueError(f"{text!r} is not a duration: write it as in 30s, 5m or 1h30m")
    return sum(int(n) * _DURATION_UNITS[unit] for n, unit in re.findall(r"([0-9]+)(ms|d|h|m|s)", text))


def duration_text(seconds: int) -> str:
    """``381`` → ``6m21s``."""
    hours, minutes = divmod(seconds // 60, 60)
    parts = [(hours, "h"), (minutes, "m"), (seconds % 60, "s")]
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def elapsed_seconds(since: datetime, until: datetime) -> int:
    """Whole seconds from one moment to a later one; 0 where clocks disagree about which is the later."""
    return max(int((until - since).total_seconds()), 0)


def quantity_value(text: str) -> float:
    """The number that a quantity such as ``256Mi`` stands for. Raises ValueError."""
    if not re.fullmatch(_QUANTITY, text):
        raise ValueError(f"{text!r} is not a quantity: write it as in 64Mi, 1.5Gi or 1000")
    number = text.rstrip("kKMGTi")
    return float(number) * _QUANTITY_UNITS[text.removeprefix(number)]


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as Kubernetes writes ``metav1.Time``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fits(kind: Any, value: object) -> bool:
    """Whether a value is what one of these types takes, such as ``ObjectName``."""
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def aware(moment: datetime) -> datetime:
    """The same time, if it says its zone and can be given in UTC. Raises ValueError."""
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone, as in 2026-03-14T03:07:12Z")
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time must lie in the years 1 to 9999 of UTC") from None
    return moment


def _at_most_23_hours(text: str) -> str:
    if duration_seconds(text) > 23 * 3600:
        raise ValueError(f"{text} is too long: at most 23h")
    return text


Label = Annotated[str, StringConstraints(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""An RFC 1123 label."""
ObjectName = Annotated[
    str, StringConstraints(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1)
]
"""The name of a Kubernetes object (RFC 1123 subdomain)."""
Identifier = Annotated[str, StringConstraints(max_length=63, pattern=r"^[a-zA-Z][a-zA-Z0-9]*$")]
"""A name that expressions can use."""
Reason = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Z][A-Za-z0-9]*$")]
"""A CamelCase reason."""
ServiceName = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9@_.:-]*$")]
"""A service's name; with ``.service`` it names a systemd unit, so it never starts with a dash."""
Expression = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
"""A CEL expression."""
Digest = Annotated[str, StringConstraints(max_length=71, pattern=r"^sha256:[0-9a-f]{64}$")]
HostKeyText = Annotated[
    str, StringConstraints(min_length=16, max_length=2048, pattern=r"^[a-z0-9@.-]+ [A-Za-z0-9+/=]+$")
]
"""A public SSH host key as ``type base64``."""
ShortText = Annotated[str, StringConstraints(max_length=256)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=256)]
"""A short text that must be there."""
Text = Annotated[str, StringConstraints(max_length=2048)]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
"""A text that somebody has to write."""
Duration = Annotated[str, StringConstraints(max_length=32, pattern=_DURATION)]
"""A duration as people write it; see :func:`duration_seconds`."""
ApprovalPeriod = Annotated[
    str,
    StringConstraints(max_length=32, pattern=r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"),
    AfterValidator(_at_most_23_hours),
    Field(
        json_schema_extra={
            "x-kubernetes-validations": [{"rule": "duration(self) <= duration('23h')", "message": "at most 23h"}]
        }
    ),
]
"""How long an approval may be waited for: a host refuses orders that expire more than 24 hours ahead."""
Time = Annotated[
    datetime,
    AfterValidator(aware),
    PlainSerializer(format_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Free = Annotated[Any, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True})]
"""Any JSON value, kept as it is."""
FreeMap = Annotated[
    dict[str, Any],
    BeforeValidator(lambda value: value if value is not None else {}),
    WithJsonSchema({"type": "object", "maxProperties": 64, "x-kubernetes-preserve-unknown-fields": True}),
]
"""A map with free content, kept as it is."""


class OwnerReference(StatusModel):
    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(StatusModel):
    """The part of ``metadata`` that the operator reads."""

    name: str = ""
    generate_name: str | None = None
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    owner_references: list[OwnerReference] = Field(default_factory=list)


class Condition(StatusModel):
    """A condition as Kubernetes has it (metav1.Condition)."""

    type: Annotated[str, StringConstraints(max_length=316)]
    """What it is about, in CamelCase."""
    status: Literal["True", "False", "Unknown"]
    """Whether it is so."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The generation of the spec that this was said of."""
    last_transition_time: Time
    """When the status last changed."""
    reason: Annotated[
        str,
        StringConstraints(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
    ]
    """Why, in one word for programs."""
    message: Annotated[str, StringConstraints(max_length=32768)] = ""
    """Why, in words for people."""


Conditions = Annotated[
    list[Condition],
    Field(
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]


def condition(conditions: list[Condition], kind: str) -> Condition | None:
    """The condition of that type, if it is there."""
    return next((each for each in conditions if each.type == kind), None)


def is_true(conditions: list[Condition], kind: str) -> bool:
    found = condition(conditions, kind)
    return found is not None and found.status == "True"


def is_true_in(body: Mapping[str, Any], kind: str) -> bool:
    """The same of an object as it is stored, which may be one that cannot be read as its type."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)


def conditions_with(
    conditions: list[Condition],
    kind: str,
    status: Literal["True", "False", "Unknown"],
    reason: str,
    message: str,
    *,
    generation: int,
    now: datetime,
) -> list[Condition]:
    """The conditions with one set; its transition time moves only when its status does."""
    before = condition(conditions, kind)
    since = before.last_transition_time if before is not None and before.status == status else now
    new = Condition(
        type=kind,
        status=status,
        observed_generation=generation,
        last_transition_time=since,
        reason=reason,
        message=message[:32768],
    )
    if before is None:
        return [*conditions, new]
    return [new if each.type == kind else each for each in conditions]


class Resource(ApiModel):
    """A Kubernetes object of ours; subclasses add ``spec`` and ``status`` and say what they are called."""

    model_config = ConfigDict(extra="ignore")

    plural: ClassVar[str]
    short_names: ClassVar[tuple[str, ...]] = ()
    printer_columns: ClassVar[tuple[dict[str, Any], ...]] = ()
    validations: ClassVar[tuple[dict[str, Any], ...]] = ()
    """CEL rules over the whole object; of its metadata they see the name only."""

    api_version: Literal["firstresponder.dev/v1alpha1"] = API_VERSION
    kind: str = ""
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace


def column(name: str, path: str, kind: str = "string", **more: JSON) -> dict[str, JSON]:
    """One ``additionalPrinterColumns`` entry."""
    return {"name": name, "type": kind, "jsonPath": path, **more}


def name_at_most(length: int, made_from_it: str) -> dict[str, JSON]:
    """A rule for kinds whose name becomes the beginning of other objects' names (253 characters at most)."""
    return {
        "rule": f"self.metadata.name.size() <= {length}",
        "message": f"metadata.name has at most {length} characters: the names of {made_from_it} begin with it",
    }


def seconds(text: str) -> timedelta:
    """A written duration as a timedelta. Raises ValueError."""
    return timedelta(seconds=duration_seconds(text))
