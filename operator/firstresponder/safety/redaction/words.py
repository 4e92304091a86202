"""Words that name a secret, and values that are none whatever their name."""

from __future__ import annotations

import re2

from firstresponder.safety.redaction.rule import BLANK, MARK

# Anywhere in a key: userPasswordFile, X-Api-Key.
WORD = (
    r"(?:pass[_ -]?(?:word|phrase|code)|passw|pass[_-]wd|p@ssword|pswd|pwrd|pwd|secret|token|credentials?"
    r"|(?:api|access|private|secret|encryption|recovery|licen[cs]e|shared|signing)[_ -]?key"
    r"|(?:auth|account|master|pre-?shared|session|subscription|consumer|app|application|storage|security|wep|deploy"
    r"|decryption|hmac|integration|web[_-]?hook|service[_-]?role)[_-]?key"
    r"|(?:recovery|backup|scratch|verification|security|auth|authorization|one[_-]?time|mfa|2fa|t?otp|sms|pin|activation)"
    r"[_ -]?codes?|session[_-]?id|sessid|signature"
    r"|(?:require|key|store|trust|db|user|usr|smtp|ftp|mysql|pg|redis|admin|root|my|ssh|http|mail|ldap|vnc|rpc|auth"
    r"|proxy|svc|app|new|old)pass|(?:bind|root|admin|db|user)pw|masterauth|rediscli_auth|default_authtok"
    r"|connection[_-]?string|seed[_ -]?phrase|(?:totp|otp|mfa|2fa)[_ -]?seed|unseal[_ -]?key(?:[ ][0-9]+)?"
    r"|mnemonic|saml[_-]?(?:response|request|art)"
    r"|code[_-]?verifier|passwort|kennwort|contrase(?:n|ñ)a|mot[ _-]?de[ _-]?passe|wachtwoord|senha|пароль|密码"
    r"|connect\.sid|laravel_session|_gitlab_session)"
)
# Only as a word of its own at the end of a key, or passive, compass and bypass would be secrets: DB_PASS, wpa_psk.
SHORT_WORD = r"(?:pass|psk|pw|otp|totp|mdp|jwt|cvv2?|cvc|ssn)"
KEY = (
    rf"(?:[a-z0-9_.-]*{WORD}[a-z0-9_-]*|\b(?:[a-z0-9_.-]*[_.-])?{SHORT_WORD}"
    r"|\b[a-z0-9]+_pat"
    r"|\b[a-z0-9_.-]*(?-i:[a-z0-9](?:Pass|Psk|Pw|Otp|Cvv)))"
)
SIGN = r"[ \t]*(?:=>|:=|[=:：])"
QUOTED = r"(?:\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.|'')*'?|`[^`\n]*`)"
# Between the words of a command line: blanks, or the quotes and commas of a list of them, or what /proc has.
GAP = r"(?:[ \t\x00]|[\"'],?[ \t]*[\"'])[ \t]*"
# Unquoted, it ends where a blank or an escaped end of a line follows. A quote belongs to it where a letter follows at
# once and nothing that lists or names goes before: p'w, but not 5,"x
_CHARACTER = r"(?:[^\s\"'\x00\\]|\\+[^\s\"'\x00\\n])"
BARE = rf"(?:(?:{_CHARACTER}*[^\s\"'\x00\\,:;{{\[(=][\"'][A-Za-z0-9{BLANK}])+{_CHARACTER}*|{_CHARACTER}+)"
# b'x', Some("x"), SecretStr('x'), string(7) "x", N'x'
_WRAP = r"(?:[bBuUrRNE]|@|[A-Za-z_.]{1,24}\(|string\([0-9]+\)[ ]|s:[0-9]+:|&?[A-Za-z.]{1,24}\{)?"
ARGUMENT = rf"(?:{MARK}+|{QUOTED}|{_CHARACTER}+)"
"""A word of a command line."""
VALUE = rf"(?:{MARK}+|{_WRAP}{QUOTED}|\[[^\[\]\n]*\]?|{BARE})"

PLAIN_WORD = re2.compile(r"^(?:[A-Za-z]?[a-z'-]*|[A-Z]+)[.,;:!?)]*$")
OBJECT_NAME = re2.compile(r"^[\"'`]?[a-z0-9./_-]+[\"'`]?$")

# What stands where a secret is not known or not given.
_NOTHING = re2.compile(
    r"(?i)^(?:true|false|null|none|nil|yes|no|on|off|undefined|empty|unset|[01]|#|n/a|\(null\)|<nil>|-|\.\.\.|…"
    r"|\*+|[x•]{3,}|%[svdq]|%\([a-z_]+\)s|\?|\$[0-9]|<[a-z_ .-]+>"
    r"|\[[a-z_ -]*(?:redacted|hidden|filtered|masked)[a-z_ -]*\]"
    r"|\$\{.*|\$(?-i:[A-Z_][A-Z0-9_]*)|\$[a-z_]*(?:password|passwd|pass|token|secret|key|pw)|\$\(.*|\{\{.*"
    r"|\{[a-z_]*\}|%[A-Z_]+%|your[_ -]?[a-z_ -]+|\[[a-z_-]+(?: [a-z_-]+)+\]"
    r"|(?:os\.environ|os\.getenv|process\.env|system\.getenv|env\[|getenv\().*"
    r"|string|str|bytes?|int|integer|bool|boolean|stringarray|value|secrets|tokens|credentials|passwords|[{(\[]+"
    r"|(?:file://)?(?:/(?:var|run|etc|home|root|mnt|opt|usr|tmp|srv|vault|secrets?)|\.\.?)/[^\s]*"
    r"|(?:id|src|source|target|type)=.*|\((?:sensitive|known|hidden).*|chauthtok|amd64|arm64|armhf|i386|x86_64|noarch|all|[0-9][0-9a-z_.+~-]*\.(?:deb|rpm)"
    r"|(?-i:[a-z_]+(?:\.[a-z_]+)*\([a-z_., ]*\)?|[A-Z_]*(?:TOKEN|PASSWORD|PASS|SECRET|KEY)[A-Z_]*))[,;:.)\]}]*$"
)
# With these a sentence goes on, and no secret begins: token: the name of …, password: must be …
_SAYS = (
    r"(?:the|an?|is|are|was|were|be|been|must|should|shall|may|can|cannot|could|will|would|has|have|had|does|did"
    r"|not|no|and|or|but|if|when|for|from|of|in|on|at|by|to|with|without|as|than|that|this|these|which|your|our|its|it"
    r"|use|used|using|see|unable|failed|failure|invalid|missing|expired|expiring|expires|required|optional|unexpected"
    r"|expected|unknown|incorrect|wrong|denied|rejected|accepted|refused|disabled|enabled|changed|updated|rotated"
    r"|created|deleted|revoked|malformed|mismatch|too|only|error|successful|mandatory|deprecated|masked|removed"
    r"|redacted|requested|received|refreshed|renewed|verified|available|unavailable|authenticated|configured|loaded)"
)
_SAYING = re2.compile(rf"(?i)^{_SAYS}[,.;:!?)]*$")
_SENTENCE = re2.compile(
    rf"(?i)^(?:{_SAYS}|[a-z'’-]+ (?:of|for|to|that|which|used|must|should|in))[,.;:)]? [a-z0-9'’(`/<-]"
)
# Measures of what bears the name: max_tokens=4096, password_length: 12, token_expires_in=3600.
_MEASURED = re2.compile(
    r"(?i)(?:tokens(?:[_-]?[a-z]*)?|secrets|credentials|len|length|count|size|min|max|limit|ttl|age|days|hours"
    r"|minutes|seconds|secs?|ms|timeout|expir[a-z]*|expires?[_-]?(?:in|at|on)|lifetime|duration"
    r"|interval|period|window|validity|usage|budget|quota|capacity|iterations|rounds|bits|attempts"
    r"|retries|rate|version|index|num|total|used|per[_-]?[a-z]+)$"
)
_MEASURE = re2.compile(r"^[0-9][0-9.,:_TZ+/%-]*[a-zA-Z]{0,4}[,;.)\]}]*$")
# Where it is kept: password_file=/run/secrets/db, token_endpoint: https://…
_PLACED = re2.compile(r"(?i)(?:file|path|dir|directory|url|uri|endpoint|location|mount|volume)$")
_PLACE = re2.compile(r"^(?:[./~][A-Za-z0-9_./@:-]*|[a-zA-Z]:[\\/].*|https?://[^@?]*)[,;)\]}]*$")
# What it is called or how it is made: secretName: db-creds, token_type=bearer.
_CALLED = re2.compile(
    r"(?i)(?:name|names|namespace|type|kind|policy|algorithm|alg|method|mode|scheme|provider|manager|class|issuer"
    r"|audience|scopes?|ref|engine|driver|status|state|reason|requests?|review|authentication)$"
)
_NAME = re2.compile(r"^\{?[A-Za-z][A-Za-z0-9_.:/ -]*[,;)\]}]*$")
# Of many, a word says which: secrets : Ensure …, "session_tokens": index …
_PLURAL = re2.compile(r"(?i)(?:tokens|secrets|credentials)$")
_ANY_WORD = re2.compile(r"^[A-Za-z][a-z]+$")
_OTHER_KEY = re2.compile(
    r"(?i)tokeni[sz]|secretar|passwordless|secretkeyref|secretref|imagepullsecrets|token_?bucket|stdin|^base-passwd$|^[A-Z0-9_]+-[0-7]-[A-Z_]+$"
)
# A number that a server counts its sessions by, as in ZooKeeper and systemd, lets nobody in.
_SESSION = re2.compile(r"(?i)(?:session[_-]?id|sessid|session[_-]?key)s?$")
_HANDLE = re2.compile(r"(?i)^(?:0x[0-9a-f]{1,16}|c?[0-9]{1,10})[`,;.)\]}:]*$")
_WORKING_DIRECTORY = re2.compile(r"(?i)(?:^|[^a-z])(?:old)?pwd$")
# What a runtime prints of an object that is called Token.
_OBJECT = re2.compile(r"^(?:Token$|[A-Za-z.$]*Token\{[0-9a-f]+|[A-Za-z_$][A-Za-z0-9_.$]*@[0-9a-f]{5,8}$)")


def is_no_secret(key: str, value: str) -> bool:
    """Whether what stands behind a secret's name is none: a switch, a measure, a path, a sentence, a placeholder."""
    key = key.strip(" \t\"'")
    bare = value.strip(" \t\"'`\r,;")
    if not bare or _NOTHING.match(bare) or _SAYING.match(bare) or _OTHER_KEY.search(key) or _OBJECT.match(bare):
        return True
    return any(
        named.search(key) and form.match(bare)
        for named, form in (
            (_MEASURED, _MEASURE),
            (_PLACED, _PLACE),
            (_CALLED, _NAME),
            (_SESSION, _HANDLE),
            (_PLURAL, _ANY_WORD),
        )
    ) or bool(_WORKING_DIRECTORY.search(key) and bare[0] in "/~")


def is_mixed(text: str) -> bool:
    """Whether it has small and capital letters and digits, as keys have that chance makes."""
    return text.lower() != text != text.upper() and any(each.isdigit() for each in text)


def is_sentence(text: str) -> bool:
    """Whether it goes on as a sentence does, with the small words that no passphrase is made of."""
    return bool(_SENTENCE.match(text.strip()))
