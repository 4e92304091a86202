"""One value of a file: as it stands there, and never a secret."""

from __future__ import annotations

from typing import Any

import pytest

from firstresponder.evidence.catalogue import PROBES
from firstresponder.evidence.probe import Reason, Unobserved
from tests.unit.evidence.asking import argv, printed, seen, unseen

YAML = """\
pool_size: 20   # connections
database:
  host: db-01.internal
  password: hunter2
  pool: {max: "40", mode: read-only, empty: }
  servers:
  - {port: 5432}
  - {port: 5433}
management.endpoint: on
dsn: postgresql://app:s3cret@db/payroll
text: |
  20
list: [1, 2]
twice: {a: 1}
twice.a: 2
"""
INI = """\
; a comment: pool = 1
max_connections = 100\t\t# (change requires restart)
name = 'payroll' # quoted
[mysqld]
max_connections=151
quoted = "a # b" ; comment
sql_mode:STRICT
goes_on = 1\\
  max_connections = 2
[other section]
max = 7
[mysqld]
max = 8
max = 9
"""
ENV = """\
# POOL_SIZE=1
POOL_SIZE=20
export MODE="read-only"
ESCAPED="a\\"b"
SHELL_MADE=$(id)
EXPANDED="$POOL_SIZE"
TWO words
SPACED=a b
LAST=1
LAST=2
EMPTY=
"""
PROPERTIES = """\
! pool.size=1
pool.size=20
mode : read-only
level INFO
path=C\\:x
long=1\\
pool.max=3
"""


def value(path: str, text: str, key: str, **more: Any) -> str:
    found = seen("configValue", printed(text), path=path, key=key, **more)["value"]
    assert isinstance(found, str)
    return found


def no_value(path: str, text: str, key: str, reason: Reason, message: str | None = None, **more: Any) -> None:
    unseen("configValue", printed(text), reason, message, path=path, key=key, **more)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("pool_size", "20"),
        ("database.pool.max", "40"),
        ("database.pool.mode", "read-only"),
        ("database.servers.1.port", "5433"),
        ("management.endpoint", "on"),
    ],
)
def test_a_value_of_yaml_is_the_text_that_stands_there(key: str, expected: str) -> None:
    assert value("/etc/payroll/db.yml", YAML, key) == expected


def test_json_is_read_as_yaml() -> None:
    assert value("/etc/x.json", '{"pool": {"size": 20}}', "pool.size") == "20"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("max_connections", "100"),
        ("name", "payroll"),
        ("mysqld.max_connections", "151"),
        ("mysqld.sql_mode", "STRICT"),
        ("other section.max", "7"),
    ],
)
def test_a_value_of_ini_is_found_by_its_section(key: str, expected: str) -> None:
    assert value("/etc/my.cnf", INI, key) == expected


def test_a_comment_sign_in_quotes_is_part_of_the_value() -> None:
    assert value("/etc/my.cnf", INI, "mysqld.quoted", harmless=True) == "a # b"


@pytest.mark.parametrize(("key", "expected"), [("POOL_SIZE", "20"), ("MODE", "read-only")])
def test_a_value_of_an_environment_file_is_read_without_its_quotes(key: str, expected: str) -> None:
    assert value("/etc/default/payroll", ENV, key, format="env") == expected
    assert value("/opt/payroll/.env", ENV, key) == expected


@pytest.mark.parametrize(("key", "expected"), [("pool.size", "20"), ("mode", "read-only"), ("level", "INFO")])
def test_a_value_of_properties_is_read_after_any_of_their_signs(key: str, expected: str) -> None:
    assert value("/etc/x.properties", PROPERTIES, key) == expected


@pytest.mark.parametrize(
    ("path", "text", "key"),
    [
        ("/x.yml", YAML, "nothing"),
        ("/x.yml", YAML, "database.pool.empty"),
        ("/x.yml", YAML, "database.servers.2.port"),
        ("/x.yml", YAML, "pool_size.max"),
        ("/x.yml", "", "pool_size"),
        ("/x.ini", INI, "pool"),
        ("/x.ini", INI, "other section.max_connections"),
        ("/x.env", ENV, "EMPTY"),
        ("/x.env", ENV, "TWO"),
        ("/x.properties", PROPERTIES, "pool.max"),
        ("/x.properties", "", "pool.max"),
    ],
)
def test_a_key_without_a_value_is_not_there(path: str, text: str, key: str) -> None:
    no_value(path, text, key, Reason.NOT_FOUND)


@pytest.mark.parametrize(
    ("path", "text", "key"),
    [
        ("/x.yml", YAML, "twice.a"),
        ("/x.yml", "a: 1\na: 2\n", "a"),
        ("/x.yml", "a: 1\n---\na: 1\n", "a"),
        ("/x.yml", YAML, "list"),
        ("/x.yml", YAML, "database"),
        ("/x.yml", "a: [1\n", "a"),
        ("/x.yml", "[" * 3000, "a"),
        ("/x.yml", "a: 1\0\n", "a"),
        ("/x.ini", INI, "mysqld.max"),
        ("/x.ini", INI, "mysqld.goes_on"),
        ("/x.env", ENV, "LAST"),
        ("/x.env", ENV, "SPACED"),
        ("/x.env", ENV, "SHELL_MADE"),
        ("/x.env", ENV, "EXPANDED"),
        ("/x.env", ENV, "ESCAPED"),
        ("/x.env", 'A="x\nB=1\n"\n', "B"),
        ("/x.properties", PROPERTIES, "path"),
        ("/x.properties", PROPERTIES, "long"),
    ],
)
def test_a_value_that_cannot_be_told_is_not_guessed(path: str, text: str, key: str) -> None:
    no_value(path, text, key, Reason.UNPARSEABLE, harmless=True)


def test_a_file_that_is_not_utf_8_is_not_read() -> None:
    output = printed(b"a: 1\nb: \xff\n")
    unseen("configValue", output, Reason.UNPARSEABLE, "UTF-8", path="/x.yml", key="a")


@pytest.mark.parametrize("value_", ["20", "-1.5", "30s", "512MiB", "64 MB", "80%", "on", "INFO", "read-only", "trust"])
def test_a_number_or_a_short_word_is_observed_without_asking(value_: str) -> None:
    assert value("/x.properties", f"setting={value_}\n", "setting") == value_


@pytest.mark.parametrize(
    "value_",
    ["db-01.internal", "hunter2", "Tr0ub4dor&3", "correct horse battery", "a" * 17, "x y", "12ab34cd56", "/srv"],
)
def test_other_text_is_observed_only_when_it_is_declared_harmless(value_: str) -> None:
    no_value("/x.properties", f"setting={value_}\n", "setting", Reason.WITHHELD, "harmless")
    assert value("/x.properties", f"setting={value_}\n", "setting", harmless=True) == value_


@pytest.mark.parametrize("key", ["pin", "cacheKey", "auth"])
def test_under_a_key_that_may_name_a_secret_even_a_number_has_to_be_declared_harmless(key: str) -> None:
    no_value("/x.properties", f"{key}=1234\n", key, Reason.WITHHELD)
    assert value("/x.properties", f"{key}=1234\n", key, harmless=True) == "1234"


@pytest.mark.parametrize(
    "key", ["password", "db.password", "database.password.value", "API_TOKEN", "client-secret", "db.pass", "DB_PW"]
)
@pytest.mark.parametrize("harmless", [False, True])
def test_a_key_that_names_a_secret_is_refused_before_the_file_is_read(key: str, harmless: bool) -> None:
    with pytest.raises(Unobserved, match="never read") as unobserved:
        argv("configValue", path="/etc/x.yml", key=key, harmless=harmless)
    assert unobserved.value.reason is Reason.WITHHELD


@pytest.mark.parametrize(
    "value_",
    [
        "postgresql://app:s3cret@db/payroll",
        "alice@example.com",
        "AKIAIOSFODNN7EXAMPLE",
        "4111 1111 1111 1111",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc",
    ],
)
def test_a_value_that_looks_like_a_secret_is_withheld_whatever_was_declared(value_: str) -> None:
    with pytest.raises(Unobserved) as unobserved:
        value("/x.env", f"SETTING='{value_}'\n", "SETTING", harmless=True)
    assert unobserved.value.reason is Reason.WITHHELD
    assert value_ not in unobserved.value.message


def test_nothing_of_the_file_is_shown() -> None:
    assert PROBES["configValue"].excerpt is False
    for harmless in (True, False):
        with pytest.raises(Unobserved) as unobserved:
            value("/x.yml", YAML, "database.servers", harmless=harmless)
        assert "hunter2" not in unobserved.value.message


def test_a_value_of_several_lines_or_with_control_characters_is_not_text_to_show() -> None:
    no_value("/x.yml", YAML, "text", Reason.UNPARSEABLE, harmless=True)
    no_value("/x.yml", YAML, "text", Reason.WITHHELD)
    no_value("/x.yml", 'a: "\\e[2J"\n', "a", Reason.UNPARSEABLE, harmless=True)
    no_value("/x.properties", f"a={'x ' * 200}\n", "a", Reason.UNPARSEABLE, harmless=True)


@pytest.mark.parametrize(
    "text", [" " * 60_000 + "\n", "a" * 60_000 + "\n", "a =" + " " * 60_000 + "x #\n", "&a " * 9000]
)
@pytest.mark.parametrize("kind", ["yaml", "ini", "env", "properties"])
@pytest.mark.timeout(20)
def test_no_file_makes_the_reading_slow(kind: str, text: str) -> None:
    with pytest.raises(Unobserved):
        value("/x", text, "pool", format=kind)


@pytest.mark.timeout(20)
def test_yaml_that_grows_when_it_is_built_is_not_built() -> None:
    levels = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 30)]
    assert value("/x.yml", "\n".join([*levels, "pool: 5"]), "pool") == "5"


def test_the_format_is_told_by_the_path_or_has_to_be_given() -> None:
    assert argv("configValue", path="/etc/my.cnf", key="max") == ("cat", "--", "/etc/my.cnf")
    assert argv("configValue", path="/etc/x.conf", key="max", format="ini") == ("cat", "--", "/etc/x.conf")
    for path in ("/etc/x.conf", "/etc/default/x", "/etc.yml/x"):
        with pytest.raises(Unobserved, match="format: "):
            argv("configValue", path=path, key="max")


def test_a_path_is_absolute() -> None:
    with pytest.raises(Unobserved, match="path: "):
        argv("configValue", path="etc/x.yml", key="max")
