"""Where secrets stand: each place turns an item into a text and tells how it writes the secret."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import shlex
from collections.abc import Callable
from urllib.parse import quote

from tests.unit.safety.corpus.case import Command, Item, Keyed, Lines, Text

Placed = tuple[str, str]
"""A text, and the secret as it stands in it."""
Place = Callable[[random.Random, Item], Placed]

HOSTS = ("web1", "db-2", "cache.internal", "ip-10-0-3-7", "node7", "api-6d4cf56db6-x2x9z")
PROGRAMS = ("app", "sshd", "python3", "java", "nginx", "payments", "kubelet", "systemd")
_UNQUOTED = re.compile(r"[A-Za-z0-9_.~/+@:,%=!^*?#-]+")


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _time(rng: random.Random) -> str:
    return f"2026-0{rng.randint(1, 9)}-{rng.randint(10, 28)}T{rng.randint(10, 23)}:{rng.randint(10, 59)}:{rng.randint(10, 59)}"


def _syslog(rng: random.Random) -> str:
    month = rng.choice(("Jan", "Mar", "Jul", "Nov"))
    clock = f"{rng.randint(10, 23)}:{rng.randint(10, 59)}:{rng.randint(10, 59)}"
    return f"{month} {rng.randint(1, 28):2} {clock} {rng.choice(HOSTS)} {rng.choice(PROGRAMS)}[{rng.randint(100, 99999)}]: "


def _camel(key: str) -> str:
    head, *rest = re.split(r"[_. -]", key)
    return head + "".join(each[:1].upper() + each[1:] for each in rest)


def _pascal(key: str) -> str:
    camel = _camel(key)
    return camel[:1].upper() + camel[1:]


def _upper(key: str) -> str:
    return re.sub(r"[. -]", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key)).upper()


def _kebab(key: str) -> str:
    return re.sub(r"[_. ]", "-", re.sub(r"(?<=[a-z])(?=[A-Z])", "-", key)).lower()


def _header(key: str) -> str:
    return "-".join(each[:1].upper() + each[1:] for each in _kebab(key).split("-"))


def _assigned(value: str, quote_sign: str = '"') -> str:
    return (
        value if _UNQUOTED.fullmatch(value) else quote_sign + value.replace(quote_sign, f"\\{quote_sign}") + quote_sign
    )


def _colour(rng: random.Random) -> str:
    return f"\x1b[{rng.choice(('31', '1;36', '38;5;214', '0;32'))}m"


# Of a value with a name.


def _object(rng: random.Random, item: Keyed) -> dict[str, object]:
    return {
        "level": rng.choice(("info", "debug", "error")),
        "user": rng.choice(("bob", "svc-app")),
        item.key: item.value,
        "attempt": rng.randint(1, 5),
    }


def _nested(levels: int) -> Callable[[random.Random, Keyed], Placed]:
    def place(rng: random.Random, item: Keyed) -> Placed:
        text, secret = json.dumps(_object(rng, item), ensure_ascii=False), _json(item.value)
        for _ in range(levels):
            text = json.dumps({"ts": _time(rng), "detail": text}, ensure_ascii=False)
            secret = _json(secret)
        return text, secret

    return place


def _cut_json(rng: random.Random, item: Keyed) -> Placed:
    text, secret = _nested(1)(rng, item)
    return _syslog(rng) + "request failed: " + text.partition('"detail": "')[2][:-2], secret


def _in_key(rng: random.Random, item: Keyed) -> Placed:
    at = rng.randint(1, len(item.key) - 1)
    return f"{_colour(rng)}{item.key[:at]}\x1b[0m{_colour(rng)}{item.key[at:]}\x1b[0m={item.value}", item.value


def _name_and_value(rng: random.Random, item: Keyed) -> Placed:
    pair = {"name": _upper(item.key), "value": item.value}
    return json.dumps({"image": "app:1.2", "env": [{"name": "HOST", "value": "db"}, pair]}), _json(item.value)


KEYED: dict[str, Callable[[random.Random, Keyed], Placed]] = {
    "bare": lambda rng, item: (f"connect failed {item.key}={_assigned(item.value)} host=db", item.value),
    "colon": lambda rng, item: (f"loaded config, {item.key}: {_assigned(item.value)} host: {rng.choice(HOSTS)}", item.value),
    "own line": lambda rng, item: (f"{item.key}: {item.value}", item.value),
    "logfmt": lambda rng, item: (
        f'time={_time(rng)}Z level=info msg="client ready" {item.key}={_assigned(item.value)} took={rng.randint(1, 900)}ms',
        item.value,
    ),
    "json": _nested(0),
    "json in json": _nested(1),
    "json in json in json": _nested(2),
    "cut json in json": _cut_json,
    "csv": lambda rng, item: (
        f'{rng.randint(1, 99)},bob,"' + json.dumps(_object(rng, item), ensure_ascii=False).replace('"', '""') + '"',
        _json(item.value).replace('"', '""'),
    ),
    "escaped json": lambda rng, item: (
        "data: " + json.dumps(_object(rng, item), ensure_ascii=False).replace('"', rng.choice((r"\u0022", r"\x22", "&quot;", "&#34;"))),
        _json(item.value),
    ),
    "indented json": lambda rng, item: (json.dumps({"db": _object(rng, item)}, indent=2, ensure_ascii=False), _json(item.value)),
    "yaml": lambda rng, item: (f"db:\n  host: {rng.choice(HOSTS)}\n  {item.key}: {_assigned(item.value)}\n  port: 5432", item.value),
    "yaml in json": lambda rng, item: (
        json.dumps({"config": f"db:\n  {item.key}: {_assigned(item.value)}\n  port: 5432\n"}, ensure_ascii=False),
        _json(item.value),
    ),
    "environment": lambda rng, item: (
        f" {rng.randint(100, 9999)} ?  Ss  0:0{rng.randint(0, 9)} /usr/bin/app LANG=C {_upper(item.key)}={item.value} HOME=/root PWD=/",
        item.value,
    ),
    "export": lambda rng, item: (f"+ export {_upper(item.key)}={shlex.quote(item.value)}", item.value),
    "proc environ": lambda rng, item: (f"LANG=C\0{_upper(item.key)}={item.value}\0HOME=/root\0", item.value),
    "url": lambda rng, item: (
        f'{rng.choice(HOSTS)} - - "GET /api/v1/users?page=2&{item.key}={quote(item.value, safe="")}&sort=asc HTTP/1.1" 200 {rng.randint(100, 9999)}',
        quote(item.value, safe=""),
    ),
    "url in url": lambda rng, item: (
        f"GET /login?next={quote(f'https://app.example/cb?{item.key}={item.value}&x=1', safe='')} 302",
        quote(item.value, safe=""),
    ),
    "json in url": lambda rng, item: (
        f"POST /rpc?body={quote(json.dumps(_object(rng, item), separators=(',', ':')), safe='')}",
        quote(_json(item.value), safe=""),
    ),
    "coloured": lambda rng, item: (f"\x1b[32mINFO\x1b[0m {_colour(rng)}{item.key}\x1b[0m={_colour(rng)}{item.value}\x1b[0m", item.value),
    "colour in the key": _in_key,
    "colour in json": lambda rng, item: (
        json.dumps({"log": f"\x1b[36m{item.key}\x1b[0m={item.value}\x1b[0m done\n", "stream": "stderr"}),
        _json(item.value),
    ),
    "xml": lambda rng, item: (f"<db><{item.key}>{html.escape(item.value)}</{item.key}><port>5432</port></db>", html.escape(item.value)),
    "xml attribute": lambda rng, item: (f'<db user="app" {item.key}="{html.escape(item.value)}" port="5432"/>', html.escape(item.value)),
    "xml escaped": lambda rng, item: (
        html.escape(f"<row {item.key}=\"{item.value}\" id='3'/>"),
        html.escape(item.value),
    ),
    "python": lambda rng, item: (f"{_time(rng)} DEBUG kwargs={({'user': 'bob', item.key: item.value, 'n': 3})!r}", repr(item.value)[1:-1]),
    "python object": lambda rng, item: (f"Config(host='db', {item.key}={item.value!r}, port=5432)", repr(item.value)[1:-1]),
    "ruby": lambda rng, item: (f'Parameters: {{"user"=>"bob", "{item.key}"=>"{_json(item.value)}", "commit"=>"Go"}}', _json(item.value)),
    "ruby symbol": lambda rng, item: (f'{{:user=>"bob", :{item.key}=>"{_json(item.value)}"}}', _json(item.value)),
    "go": lambda rng, item: (f"config: &{{Host:db {_pascal(item.key)}:{item.value} Port:5432}}", item.value),
    "java": lambda rng, item: (f"Config{{host='db', {_camel(item.key)}='{item.value}', port=5432}}", item.value),
    "rust": lambda rng, item: (f'Config {{ host: "db", {item.key}: Some("{_json(item.value)}"), port: 5432 }}', _json(item.value)),
    "php": lambda rng, item: (f"Array ( [user] => bob [{item.key}] => {item.value} [port] => 5432 )", item.value),
    "sql": lambda rng, item: (
        f"LOG:  statement: UPDATE accounts SET {item.key} = '{item.value}' WHERE id = {rng.randint(1, 999)}",
        item.value,
    ),
    "sql insert": lambda rng, item: (
        f"INSERT INTO accounts (id, name, {item.key}) VALUES ({rng.randint(1, 999)}, 'bob', '{item.value}')",
        item.value,
    ),
    "option": lambda rng, item: (f"$ app serve --{_kebab(item.key)} {shlex.quote(item.value)} --port 8080", item.value),
    "option with =": lambda rng, item: (f"/usr/bin/app serve --{_kebab(item.key)}={shlex.quote(item.value)} --port=8080", item.value),
    "argv": lambda rng, item: (json.dumps(["app", "serve", f"--{_kebab(item.key)}", item.value, "--port", "1"]), _json(item.value)),
    "property": lambda rng, item: (f"java -Xmx1g -Dapp.{_camel(item.key)}={item.value} -jar app.jar", item.value),
    "ini": lambda rng, item: (f"[db]\nhost = db\n{item.key} = {item.value}\nport = 5432", item.value),
    "header": lambda rng, item: (f"> Host: api\n> X-{_header(item.key)}: {item.value}\n> Accept: */*", item.value),
    "name and value": _name_and_value,
    "syslog": lambda rng, item: (f"{_syslog(rng)}reload {item.key}={_assigned(item.value)} ok", item.value),
    "syslog json": lambda rng, item: (_syslog(rng) + json.dumps(_object(rng, item), ensure_ascii=False), _json(item.value)),
    "base64": lambda rng, item: (
        f"userdata {base64.b64encode(f'{item.key}={item.value}'.encode()).decode()} applied",
        base64.b64encode(f"{item.key}={item.value}".encode()).decode(),
    ),
}  # fmt: skip

# Of something that is secret by itself.

TEXT: dict[str, Callable[[random.Random, Text], Placed]] = {
    "bare": lambda rng, item: (item.text, item.secret),
    "sentence": lambda rng, item: (f"request with {item.text} was refused after {rng.randint(1, 9)} tries", item.secret),
    "logfmt": lambda rng, item: (
        f'time={_time(rng)}Z level=warn msg="{_json(f"got {item.text} from client")}" code={rng.randint(400, 499)}',
        _json(item.secret),
    ),
    "json": lambda rng, item: (json.dumps({"ts": _time(rng), "msg": f"got {item.text} again"}, ensure_ascii=False), _json(item.secret)),
    "json line": lambda rng, item: (json.dumps({"msg": f"first\n{item.text}\nlast"}, ensure_ascii=False), _json(item.secret)),
    "json in json": lambda rng, item: (
        json.dumps({"detail": json.dumps({"value": item.text, "n": 1}, ensure_ascii=False)}, ensure_ascii=False),
        _json(_json(item.secret)),
    ),
    "json in json in json": lambda rng, item: (
        json.dumps({"a": json.dumps({"b": json.dumps({"c": f"x\n{item.text}"}, ensure_ascii=False)}, ensure_ascii=False)}, ensure_ascii=False),
        _json(_json(_json(item.secret))),
    ),
    "yaml": lambda rng, item: (f"request:\n  id: {rng.randint(1, 99)}\n  note: {item.text}\n  retries: 2", item.secret),
    "environment": lambda rng, item: (f"LANG=C EXTRA={shlex.quote(item.text)} HOME=/root", item.secret),
    "percent-encoded": lambda rng, item: (f"GET /x?note={quote(item.text, safe='')}&page=1 HTTP/1.1", quote(item.secret, safe="")),
    "coloured": lambda rng, item: (f"\x1b[33mWARN\x1b[0m {_colour(rng)}{item.text}\x1b[0m refused", item.secret),
    "xml": lambda rng, item: (f"<log><note>{html.escape(item.text)}</note></log>", html.escape(item.secret)),
    "sql": lambda rng, item: (
        "INSERT INTO notes (id, body) VALUES (3, '" + item.text.replace("'", "''") + "')",
        item.secret.replace("'", "''"),
    ),
    "python": lambda rng, item: (f"args=({item.text!r}, {rng.randint(1, 9)})", repr(item.secret)[1:-1]),
    "go": lambda rng, item: (f"{{ID:{rng.randint(1, 99)} Note:{item.text} Tries:2}}", item.secret),
    "syslog": lambda rng, item: (f"{_syslog(rng)}got {item.text}", item.secret),
    "header": lambda rng, item: (f"< X-Note: {item.text}\n< Server: nginx", item.secret),
}  # fmt: skip

# Of a command line.


def _line(item: Command) -> str:
    return " ".join(each if each == "|" else shlex.quote(each) for each in item.argv)


def _quoted(item: Command) -> str:
    return item.secret.replace("'", "'\"'\"'")


COMMAND: dict[str, Callable[[random.Random, Command], Placed]] = {
    "bare": lambda rng, item: (_line(item), _quoted(item)),
    "prompt": lambda rng, item: (f"\x1b[01;32mbob@web1\x1b[00m:~$ {_line(item)}", _quoted(item)),
    "trace": lambda rng, item: (f"+ {_line(item)}", _quoted(item)),
    "ps": lambda rng, item: (f"root {rng.randint(100, 9999)}  0.0  0.1 12345 678 ?  S  10:02  0:00 {' '.join(item.argv)}", item.secret),
    "sudo": lambda rng, item: (
        f"{_syslog(rng)}bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/{' '.join(item.argv)}",
        item.secret,
    ),
    "cron": lambda rng, item: (f"{_syslog(rng)}(root) CMD ({_line(item)})", _quoted(item)),
    "unit": lambda rng, item: (f"[Service]\nExecStart=/usr/bin/{_line(item)}\nRestart=always", _quoted(item)),
    "json": lambda rng, item: (json.dumps({"pid": rng.randint(1, 999), "cmd": _line(item)}), _json(_quoted(item))),
    "json in json": lambda rng, item: (json.dumps({"msg": json.dumps({"cmd": _line(item)})}), _json(_json(_quoted(item)))),
    "yaml": lambda rng, item: (f"steps:\n- name: load\n  run: {_line(item)}", _quoted(item)),
    "argv": lambda rng, item: (json.dumps({"Cmd": list(item.argv)}), _json(item.secret)),
    "python": lambda rng, item: (f"CalledProcessError: Command {list(item.argv)!r} returned non-zero exit status 1.", repr(item.secret)[1:-1]),
    "go": lambda rng, item: (f"exec: [{' '.join(item.argv)}]: exit status 1", item.secret),
    "history": lambda rng, item: (f" {rng.randint(100, 999)}  {_line(item)}", _quoted(item)),
    "xml": lambda rng, item: (f"<command>{html.escape(_line(item))}</command>", html.escape(_quoted(item))),
    "proc cmdline": lambda rng, item: ("\0".join(item.argv) + "\0", item.secret),
}  # fmt: skip

# Of lines of a file.


def _a_line(secret: str) -> str:
    return max(secret.split("\n"), key=len)


LINES: dict[str, Callable[[random.Random, Lines], Placed]] = {
    "bare": lambda rng, item: (item.text, item.secret),
    "diff": lambda rng, item: ("\n".join(f"+{each}" for each in item.text.split("\n")), _a_line(item.secret)),
    "json": lambda rng, item: (json.dumps({"path": "/etc/x", "content": item.text + "\n"}), _json(item.secret)),
    "json in json": lambda rng, item: (json.dumps({"msg": json.dumps({"content": item.text})}), _json(_json(item.secret))),
    "yaml": lambda rng, item: ("content: |\n" + "\n".join(f"  {each}" for each in item.text.split("\n")), _a_line(item.secret)),
    "python": lambda rng, item: (f"content={item.text!r}", repr(item.secret)[1:-1]),
    "coloured": lambda rng, item: ("\n".join(f"{_colour(rng)}{each}\x1b[0m" for each in item.text.split("\n")), _a_line(item.secret)),
    "after others": lambda rng, item: (f"# made by hand\nhost=db\n\n{item.text}\n", item.secret),
    "percent-encoded": lambda rng, item: (f"POST /save content={quote(item.text, safe='')}", quote(item.secret, safe="")),
    "base64": lambda rng, item: (
        "content: " + base64.b64encode(item.text.encode()).decode(),
        base64.b64encode(item.text.encode()).decode(),
    ),
}  # fmt: skip


def places(item: Item) -> dict[str, Place]:
    """Where an item of this form occurs."""
    match item:
        case Keyed():
            return KEYED  # type: ignore[return-value]
        case Text():
            return TEXT  # type: ignore[return-value]
        case Command():
            return COMMAND  # type: ignore[return-value]
        case Lines():
            return LINES  # type: ignore[return-value]
