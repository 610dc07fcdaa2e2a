"""pydantic-core: a large module in Rust; validation, regular expressions, dates, URLs, serialisation."""

import datetime
import threading

from pydantic_core import (
    SchemaSerializer,
    SchemaValidator,
    Url,
    ValidationError,
    core_schema,
    from_json,
    to_json,
)

schema = core_schema.typed_dict_schema(
    {
        "id": core_schema.typed_dict_field(core_schema.int_schema(gt=0)),
        "name": core_schema.typed_dict_field(
            core_schema.str_schema(pattern=r"^[a-zäü]+\d{2,3}$", max_length=20)
        ),
        "when": core_schema.typed_dict_field(core_schema.datetime_schema()),
        "tags": core_schema.typed_dict_field(
            core_schema.set_schema(core_schema.str_schema()), required=False
        ),
        "ratio": core_schema.typed_dict_field(core_schema.float_schema(le=1.0), required=False),
        "web": core_schema.typed_dict_field(core_schema.url_schema(), required=False),
        "wait": core_schema.typed_dict_field(core_schema.timedelta_schema(), required=False),
    }
)
validator = SchemaValidator(schema)
good = {
    "id": "42",
    "name": "xü12",
    "when": "2026-01-02T03:04:05.678+02:00",
    "tags": ["a", "a"],
    "ratio": "0.25",
}
good.update(web="https://example.org:8443/a b?q=ü#x", wait="P1DT2H")
print(validator.validate_python(good))
print(validator.validate_json(b'{"id": 7, "name": "abc123", "when": 1767322800}'))
for bad in (
    {"id": -1, "name": "NO", "when": "yesterday", "ratio": 2, "web": "::", "wait": "x"},
    {},
    b'{"id": 1,',
    {"id": "x" * 100, "name": 3, "when": None, "tags": 5},
):
    try:
        print(
            "no error",
            (validator.validate_json if isinstance(bad, bytes) else validator.validate_python)(bad),
        )
    except ValidationError as error:
        print(error)
print(
    from_json(b'{"a": [1, 2.5, "x"], "b": null}'),
    to_json({"when": datetime.date(2026, 1, 2), "b": b"x", "s": {1}}),
)
try:
    to_json(object())
except Exception as error:
    print(type(error).__name__)
print(
    Url("HTTPS://Example.org/%7Ex/../y"),
    SchemaSerializer(schema).to_json(validator.validate_python(good)).decode().count("a"),
)


def refuse(value: object) -> object:
    raise AssertionError(f"refused {value}")


called = SchemaValidator(
    core_schema.no_info_after_validator_function(refuse, core_schema.int_schema())
)
try:
    called.validate_python(3)
except ValidationError as error:
    print(error.errors(include_url=False)[0]["msg"])
definitions = core_schema.definitions_schema(
    core_schema.definition_reference_schema("tree"),
    [core_schema.list_schema(core_schema.definition_reference_schema("tree"), ref="tree")],
)
tree = SchemaValidator(definitions)
print(tree.validate_python([[], [[[]]]]))
loop: list = []
loop.append(loop)
try:
    tree.validate_python(loop)
except ValidationError as error:
    print(error.errors(include_url=False)[0]["type"])
counts = []


def work() -> None:
    counts.append(sum(validator.validate_python({**good, "id": n})["id"] for n in range(1, 200)))


threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(counts)
