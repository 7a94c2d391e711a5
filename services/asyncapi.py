"""What travels on the bus: `/asyncapi.json`, made from the classes of the events."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic.json_schema import models_json_schema

from libs.common import events
from libs.common.event import Event, catalogue
from libs.common.events.observations import CORRECTED, REFERENCES, RETRACTED, TYPE
from libs.common.service import Service

OBSERVATIONS = "observations"
TOPICS = {
    OBSERVATIONS: "What campus systems observed. Trusted systems may write here: one event a record, or an array of one school.",
    "gateway": "Schools, rosters and posts.",
    "standards": "Indicators with their warning lines, standards with their elements.",
    "monitoring": "Metrics, and warnings from raised to cleared.",
    "planning": "Plans in force, and improvement tasks from opened to closed.",
    "deadletters": "What could never be handled, and why.",
}
_NUMBER = {"type": "number", "exclusiveMinimum": -1_000_000_000, "exclusiveMaximum": 1_000_000_000, "multipleOf": 0.000001}
_ID = {"type": "string", "minLength": 1, "maxLength": 128}
_ENVELOPE: dict[str, Any] = {
    "specversion": {"const": "1.0"},
    "id": _ID,
    "source": {"type": "string", "format": "uri-reference", "maxLength": 256},
    "type": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
    "datacontenttype": {"const": "application/json"},
    "school": {"type": "string", "description": "The school's code, which is also the record's key."},
    "causationid": {"type": "string", "description": "What caused it."},
    "traceparent": {"type": "string", "description": "W3C trace context."},
}


def asyncapi(services: Mapping[str, Service], release: str) -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of these services."""
    for module in pkgutil.iter_modules(events.__path__):
        import_module(f"{events.__name__}.{module.name}")
    classes = catalogue()
    references, schemas = _schemas(list(classes.values()))
    messages = {f"{name}.v{number}": _message(cls, references[cls]) for (name, number), cls in sorted(classes.items())}
    messages[OBSERVATIONS] = _observation()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Zhengai events",
            "version": release,
            "description": "Every record is a structured CloudEvents 1.0 JSON; its key is the school. Delivered at least once, "
            "in order for each school.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {topic: _channel(topic, text, messages) for topic, text in TOPICS.items()},
        "operations": _operations(services),
        "components": {"messages": messages, "schemas": schemas},
    }


def _schemas(classes: list[type[Event]]) -> tuple[dict[type[Event], Any], dict[str, Any]]:
    """Return how each class is referred to (two services may have events of one name), and the definitions."""
    found, document = models_json_schema([(cls, "serialization") for cls in classes], ref_template="#/components/schemas/{model}")
    definitions: dict[str, Any] = document["$defs"]
    return {cls: found[cls, "serialization"] for cls in classes}, definitions


def _message(cls: type[Event], reference: dict[str, Any]) -> dict[str, Any]:
    summary = (cls.__doc__ or "").strip().split("\n")[0]
    return {
        "name": cls.wire_type(),
        "title": cls.__name__,
        "summary": summary,
        "payload": _payload(cls.wire_type(), f"urn:zhengai:{cls.producer()}", reference),
    }


def _payload(type_: str, source: str | None, data: Mapping[str, Any]) -> dict[str, Any]:
    properties = {**_ENVELOPE, "type": {"const": type_}, "data": data}
    if source is not None:
        properties["source"] = {"const": source}
    required = ["specversion", "id", "source", "type", "time", "school", "data"]
    return {"type": "object", "required": required, "properties": properties}


def observation_data() -> dict[str, Any]:
    """The `data` of an observation, as a schema."""
    references = {kind: {**_ID, "description": "The roster's sourcedId."} for kind in REFERENCES}
    return {
        "type": "object",
        "required": ["metric", "numerator", "denominator"],
        "additionalProperties": False,
        "properties": {
            "metric": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"},
            "numerator": _NUMBER,
            "denominator": {**_NUMBER, "exclusiveMinimum": 0},
            **references,
            "phase": {"enum": ["before", "during", "after"]},
        },
    }


def correction_data() -> dict[str, Any]:
    """The `data` of a correction: the whole observation anew, and which one it corrects."""
    data = observation_data()
    said = {**data["properties"], "corrects": {**_ID, "description": "The id of the same source that was wrong."}}
    return {**data, "required": ["corrects", *data["required"]], "properties": said}


def retraction_data() -> dict[str, Any]:
    """The `data` of a retraction."""
    reason = {"type": "string", "minLength": 1, "maxLength": 2000, "description": "Why it should not have been sent."}
    said = {"retracts": {**_ID, "description": "The id of the same source to take back."}, "reason": reason}
    return {"type": "object", "required": ["retracts", "reason"], "additionalProperties": False, "properties": said}


def any_data() -> dict[str, Any]:
    """The `data` of whatever a campus system may send."""
    return {"oneOf": [observation_data(), correction_data(), retraction_data()]}


def observation(*required: str) -> dict[str, Any]:
    """What a campus system may send, as structured CloudEvents; `required` besides what every one needs."""
    kinds = []
    for type_, data in ((TYPE, observation_data()), (CORRECTED, correction_data()), (RETRACTED, retraction_data())):
        schema = _payload(type_, None, data)
        schema["required"] = [name for name in schema["required"] if name != "school" or name in required]
        kinds.append(schema)
    return {"oneOf": kinds}


def _observation() -> dict[str, Any]:
    payload = observation("school")
    return {"name": TYPE, "title": "Observation", "summary": "A campus system observed something.", "payload": payload}


def _channel(topic: str, text: str, messages: Mapping[str, Any]) -> dict[str, Any]:
    named = [name for name in messages if name == topic or name.startswith(f"{topic}.")]
    return {
        "address": f"zhengai.{topic}",
        "description": text,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in named},
    }


def _operations(services: Mapping[str, Service]) -> dict[str, Any]:
    """Who sends what, and who takes it in."""

    def refer(topic: str, names: list[str]) -> dict[str, Any]:
        return {
            "channel": {"$ref": f"#/channels/{topic}"},
            "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in sorted(names)],
        }

    operations: dict[str, Any] = {"gateway.sends.observations": {"action": "send", **refer(OBSERVATIONS, [OBSERVATIONS])}}
    by_topic: dict[str, list[str]] = {}
    for (name, number), cls in catalogue().items():
        by_topic.setdefault(cls.producer(), []).append(f"{name}.v{number}")
    for topic, names in sorted(by_topic.items()):
        operations[f"{topic}.sends"] = {"action": "send", **refer(topic, names)}
    for service in services.values():
        taken: dict[str, list[str]] = {topic: [OBSERVATIONS] for topic in service.intake if topic == OBSERVATIONS}
        for cls in service.handlers:
            taken.setdefault(cls.producer(), []).append(f"{cls.event_type}.v{cls.event_version}")
        for topic, names in sorted(taken.items()):
            operations[f"{service.name}.receives.{topic}"] = {"action": "receive", **refer(topic, names)}
    return operations
