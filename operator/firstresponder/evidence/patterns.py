"""Named patterns of log lines: what runtimes, connection pools and servers say, whatever their versions.

Each is one regular expression of printable ASCII that means the same to PCRE2 (``journalctl --grep``) and to ``re``. It
reads a message from its beginning and passes over what is harmless as a whole (a count of zero, a path, an option that
names an error), so that a word in it does not count. All that repeats is bounded or never given back, so the time for a
long message grows with its length alone.

tests/unit/evidence/log_lines holds the lines, with their programs, that each has to find and has to leave alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

PatternSet = Literal["errorLines", "outOfMemory", "poolExhausted", "databaseDown"]
"""The name of a set of patterns for log lines."""

_ZERO = r"""(?:0+(?:\.0+)?%?|0x0+)"""
_NOTHING = rf"""(?:{_ZERO}|null|nil|none|no|false|undefined|n/a|ok|success|-|\(null\)|<nil>|\[\]|\{{\}}|""|'')"""
_END = r"""(?=["'\s,;|)}\]]|\.(?:\s|$)|$)"""
_END_OF_VALUE = r"""(?=\s?["',;|)}\]]|\.?\s*$|\.\s|\s["']?[\w.-]{1,40}["']?[=:])"""
"""Not in the middle of a sentence: ``error: no route to host`` has none."""
_IS = r"""["']?(?:\s?(?:=>|->|[=:])\s?|\s(?:is|was|are|were)\s)["']?"""
_PATH = r"""(?<![\w.])/[^\s"'?]*(?:\?[^\s"']*)?"""
"""Of a file or of a request, with its query: its words are names."""


def _holds(hits: Iterable[str], marks: Iterable[str], harmless: Iterable[str], harmless_marks: Iterable[str]) -> str:
    """A hit begins somewhere outside all that is harmless; to be put after ``^``.

    What neither passes over as harmless nor as a word or character that begins no hit begins one, unless the message
    ends. The marks are what begins with anything but a letter: each place of a message is held to one half alone.
    """
    words = rf"(?=[a-z_])(?:{'|'.join(harmless)}|(?!{'|'.join(hits)})\w++)"
    others = rf"(?![a-z_])(?:{'|'.join(harmless_marks)}|(?!{'|'.join(marks)})[\s\S])"
    return rf"(?:{words}|{others})*+[\s\S]"


def _none_of(words: str, counted: str) -> tuple[str, ...]:
    """That what the words name is not there: ``no errors``, ``error_count=0``, ``"error":null``. Those ``counted`` are
    plurals, whose number may stand within a sentence: ``errors: 0 in this run``."""
    return (
        rf"\bzero\s(?:[\w-]+\s){{0,2}}(?:{words})\b",
        rf"\b(?:no|without|without any|without an|free of)\s(?:(?:more|new|other|further|known|recent|such)\s)?(?:{words})\b",
        rf"\b(?:not|never|hasn't|haven't|didn't)\s(?:{words})\b",
        rf"\b\w{{0,40}}(?:{words})[\w.-]{{0,40}}(?:"
        rf"(?:\s(?:count|rate|total|requests|jobs|connections|events|lines))?{_IS}{_NOTHING}{_END_OF_VALUE}"
        rf"""|=(?=[\s,;}}]|$)|=["']?{_ZERO}{_END}|\s?[(\[]0[)\]]|\s0{_END})""",
        rf"\b\w{{0,40}}(?:{counted})(?:/\w{{1,10}}|[\w.-]{{1,40}}|(?:\s[a-z]{{1,20}}){{1,2}})?{_IS}{_ZERO}{_END}",
    )


def _no_marks(words: str) -> tuple[str, ...]:
    """The same from a number on, and options: ``0 failed jobs``, ``0/12 failed``, ``0 of 12 checks failed``."""
    return (
        rf"(?<![\w.,/])(?<!exit )(?<!code )(?<!status )0(?:/\d+|\sof\s(?:the\s)?\d+)?\s"
        rf"(?:(?!(?:{words})\b)[a-z][\w-]*\s){{0,2}}(?:{words})\b",
        r"--?[a-z][\w:+-]{0,80}=?",
        _PATH,
    )


# --- errorLines ---------------------------------------------------------------------------------------------------

_BAD = "ERROR|FATAL|CRITICAL|SEVERE|PANIC|EMERG|EMERGENCY|ALERT|ERR|CRIT|FTL|EROR"
_QUIET = "INFO|DEBUG|TRACE|NOTICE|VERBOSE|FINE|FINER|FINEST|INF|DBG|VRB|DBUG|TRCE"
_LEVEL_IS = r"""\b(?:level|lvl|severity|levelname|log\.level|loglevel)["']?\s?[=:]\s?["']?"""
_REQUEST = r"""\b(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)\s/[^\s"]*"""

_ONLY_INFORMS = (
    rf"[\s\S]{{0,200}}?(?:{_LEVEL_IS}(?:{_QUIET}|INFORMATION|10|20|30)\b"
    rf"|(?-i:\b(?:{_QUIET})\b)|[\[<|](?:[\w.]{{1,40}}:)?(?:{_QUIET})[\]>|])|(?:info|dbug|trce):\s|(?-i:[ID])\d{{4}}\s"
)
"""A line that says so of itself: a word is no error in it. An exception is, and so is a field that holds an error."""
_LEVEL_FIRST = (
    rf"(?-i:(?:(?!\b(?:{_QUIET}|WARN|WARNING|WRN|{_BAD})\b)(?:\w++|[^\n]))*+"
    rf"(?<![/=-])\b(?:{_BAD})\b(?!\s?[=:]\s?{_NOTHING}{_END}))|(?:fail|crit):\s|(?-i:[EF])\d{{4}}\s\d\d:"
)
"""The first level that the line names, in capitals, is that of an error; or it begins as .NET and klog begin one."""
_SURELY = (
    r"(?-i:\b\w{0,120}[a-z0-9_](?:Exception|Error)\b)(?:\s\[\w+\])?(?::\s|\s?\()",
    r"\bTraceback \(most recent call last\)|\bException in thread\b|\bCaused by: |\bUnhandled\w*\b|\bUncaught\b",
    r"\bpanic: |\bpanicked at\b|\bfatal error\b|\bkernel panic\b|\bgoroutine \d+ \[running\]",
    r"\bsegmentation fault\b|\bsegfault at\b|\bcore dumped\b|\bstack smashing detected\b|\bdouble free or corruption\b",
    r"\bassert(?:ion)?\b[^\n]{0,200}\bfailed\b|\bstatus=\d+/(?!SUCCESS)[A-Z]+|\bcode=(?:killed|dumped)\b",
    r"""\b(?:err|error|exception|errmsg|error\.message|error_message)["']?\s?[=:]\s?["'\[{]?(?!<nil>)[^\s"'\[{]""",
    r"""\b(?:errors?|failed|failures|exceptions)["']?\s?[=:]\s?["']?0*[1-9]""",
    rf"{_LEVEL_IS}(?:{_BAD}|50|60)\b",
    rf"""{_REQUEST}(?:\sHTTP/[\d.]+)?"?(?:\s(?:->|=>|-))?\s5\d\d\b""",
    r"""\bHTTP/[\d.]+"?\s5\d\d\b|\bHTTP 5\d\d\b|\b(?:responded|completed|returned)(?: with)?(?: status)? 5\d\d\b""",
    r"""\b(?:status|status_?code|response_?code|http_?status|http\.status_code|sc-status)["']?\s?[=:]\s?["']?5\d\d\b""",
)
_SURELY_MARKS = (
    rf"[\[<|](?:[\w.]{{1,40}}:)?(?:{_BAD})(?::[^\]\n]{{0,80}})?[\]>|]",
    r"\|\s5\d\d\s\|",
    r"\b(?:500 Internal Server Error|502 Bad Gateway|503 Service (?:Temporarily )?Unavailable|504 Gateway Time-?out)\b",
)
_WORDS = (
    "errors?|errored|exceptions?|fatal|failed|failures?|fails|crash(?:ed|es)?|aborted|aborts?|timed out|refused|panic"
)
_COUNTED = "errors|exceptions|failures|crashes|aborts|timeouts|panics"
_PROBABLY = (
    rf"\b(?:{_WORDS})\b",
    r"\bunable to\b|\bcould not\b|\bcouldn't\b|\bcannot\b|\bcan't\b|\bout of memory\b|\bOOM\b",
    r"(?-i:\b\w{0,120}[a-z0-9_](?:Exception|Error)\b)",
)
_NO_ERROR = (
    *_none_of(_WORDS + "|err|errmsg|errno", _COUNTED),
    rf"\bfailed\s(?!status|process|access)[a-z]{{2,20}}s(?:\s[a-z]{{2,20}})?(?:\s|{_IS}){_ZERO}{_END}",
    rf"\b(?:{_WORDS})[\w-]{{0,40}}\.(?:properties|log|json|ya?ml|html?|php|jsp|py|js|ts|txt|xml|conf|go|java|rb|rs)\b",
    r"\berror(?:-free|[s]?[ -](?:handl(?:er|ers|ing)|pages?|report(?:s|ing|er)|budget|rate|track(?:ing|er)|boundary|threshold)\b)",
    r"\b(?:on|if|upon|after|ignore|ignoring|retry)[ _-](?:error|failure|exception|crash)s?\b(?!:)",
    r"\b(?:log|logging|level|threshold)(?:\s\w+){0,2}\s(?:to|at|=|:)\s?(?:error|fatal|critical)\b",
)
_NEVER = (r"(?!)",)
_ERROR_LINES = "|".join(
    (
        _LEVEL_FIRST,
        _holds(_SURELY, _SURELY_MARKS, _NO_ERROR, _no_marks(_WORDS)),
        f"(?!{_ONLY_INFORMS}){_holds(_PROBABLY, _NEVER, _NO_ERROR, _no_marks(_WORDS))}",
    )
)

# --- outOfMemory --------------------------------------------------------------------------------------------------

_OUT_OF_MEMORY_WORDS = (
    r"out[ _-]of[ _-]memory(?:[ _-]errors?)?|OutOfMemory(?:Error|Exception)?s?|OOMs?|oom[ _-]?kill(?:s|ed)?"
)
_OUT_OF_MEMORY = (
    # JVM; Node and V8; Go; Python; .NET; Ruby; PHP; Perl, OCaml, Haskell, Erlang, Lua
    r"\bOutOfMemory(?:Error|Exception)?\b|\bjava heap space\b|\bGC overhead limit exceeded\b",
    r"\binsufficient memory for the Java Runtime\b|\bNative memory allocation \(\w+\) failed\b",
    r"\b(?:JavaScript )?heap out of memory\b|\breached heap limit\b|\bIneffective mark-compacts near heap limit\b",
    r"\barray buffer allocation failed\b|\bERR_WORKER_OUT_OF_MEMORY\b",
    r"\bruntime: (?:out of memory|cannot allocate memory)\b|\b(?:No)?MemoryError\b",
    r"\bUnable to allocate [\d.]+ [KMGTP]iB\b",
    r"\bfailed to allocate memory\b|\bAllowed memory size of \d+ bytes exhausted\b|\bOut_of_memory\b",
    r"\bheap exhausted\b",
    r"\beheap_alloc: Cannot\b|\bCannot allocate \d+ bytes of memory\b|\bnot enough memory\b",
    # C, C++, Rust; the libc's word for ENOMEM
    r"\bbad_alloc\b|\bcannot allocate memory\b|\bmemory allocation of \d+ bytes failed\b|\bmemory exhausted\b",
    r"\b(?:m|c|re)alloc(?:\([^)\n]{0,40}\))?:? (?:failed|of \d+ bytes failed)\b|\bENOMEM\b",
    # kernel, systemd, containers
    r"\binvoked oom-killer\b|\boom-kill:constraint=|\boom_reaper: reaped\b|\bpage allocation failure\b|\bOOMKilled\b",
    r"\bkilled by the OOM killer\b|\bresult 'oom-kill'|\bsystemd-oomd killed\b|\bKilled \S{1,200} due to memory\b",
    r"\bOOM[ -](?:killed|killer killed)\b|(?-i:\bOOM) (?:error|exit|condition)\b|\bOOM\s*$|\bOOM command not allowed\b",
    # databases say it plainly, as do most
    r"\bout of memory\b",
)
_OUT_OF_MEMORY_MARKS = (r"\b0x8007000E\b",)
_OUT_OF_MEMORY_NOT = (
    *_none_of(
        _OUT_OF_MEMORY_WORDS, r"out[ _-]of[ _-]memory[ _-]errors|OutOfMemory(?:Error|Exception)s|OOMs|oom[ _-]?kills"
    ),
    r"\b(?:CUDA|HIP|GPU|VRAM|XPU|MPS)(?: backend)?(?: error)?:? out of memory\b|\btorch\.\w{0,20}\.?OutOfMemoryError\b",
    r"\b(?:on|if|upon|after|when|handle|handling|catch|catching|avoid|avoids|prevent|prevents|against|before)[ _-]"
    r"(?:an? |going |running )?(?:out[ _-]of[ _-]memory(?:[ _-](?:errors?|conditions?))?|OutOfMemoryErrors?|OOMs?|MemoryErrors?)\b",
)

# --- poolExhausted ------------------------------------------------------------------------------------------------

_POOL_WORDS = (
    r"(?:connection )?pool[ _-]?(?:is )?(?:exhaust(?:ed|ion|ions)|timeouts?|full|empty)|PoolTimeouts?"
    r"|too[ _-]many[ _-](?:connections|clients)|connection[ _-]timeouts?"
)
_POOL = (
    # Java: HikariCP, Tomcat, DBCP, C3P0, Druid, Agroal, IronJacamar, WebLogic, UCP, BoneCP, Proxool, Vert.x, R2DBC, Jedis
    r"\bConnection is not available, request timed out\b|\bPool empty\. Unable to fetch a connection\b",
    r"\bpool error:? Timeout waiting for idle object\b|\bTimeout waiting for idle object\b",
    r"\bCannot get a connection, pool (?:error|exhausted)\b",
    r"\bPoolExhaustedException\b|\battempt by a client to checkout a Connection has timed out\b",
    r"\btimed out while waiting to acquire a resource\b|\bGetConnectionTimeoutException\b",
    r"\bAcquisition timeout while waiting for new connection\b|\bIJ000655\b|\bNo managed connections available\b",
    r"\bNo resources currently available in pool\b|\bconnections in the Universal Connection Pool are in use\b",
    r"\bTimed out waiting for a free available connection\b|\bat maximum connection count\b",
    r"\bConnection pool reached max wait queue size\b|\bPending acquire queue has reached its maximum\b",
    r"\bConnection acquisition timed out\b|\bCould not get a resource (?:from the pool|since the pool is exhausted)\b",
    # Python: SQLAlchemy, psycopg, psycopg2, peewee, PyMongo, oracledb, redis-py
    r"\bQueuePool limit of size \d+ overflow -?\d+ reached\b|\bcouldn't get a connection after\b|\bPoolTimeout\b",
    r"\bthe pool '[^'\n]{0,80}' has already \d+ requests waiting\b|\bTooManyConnectionsError\b",
    r"\bMaxConnectionsExceeded\b",
    r"\bMax connections exceeded\b|\bFailed getting connection; pool exhausted\b|\bWaitQueueTimeoutError\b",
    r"\bTimed out while checking out a connection from connection pool\b|\bDPY-4005\b|\bORA-24459\b|\bORA-24418\b",
    # Node: pg, knex, Sequelize, Prisma, mysql and mysql2, oracledb, generic-pool
    r"\btimeout exceeded when trying to connect\b|\bTimeout acquiring a connection\b|\bThe pool is probably full\b",
    r"\bSequelizeConnectionAcquireTimeoutError\b|\bTimed out fetching a new connection from the (?:connection )?pool\b",
    r"\bP2024\b|\bPOOL_(?:ENQUEUELIMIT|NOCONNLIMIT)\b|\bQueue limit reached\b|\bNJS-040\b|\bNJS-076\b",
    r"\bResourceRequest timed out\b",
    # Ruby; PHP; .NET; Go; Rust; Elixir
    r"\bcould not obtain a (?:database )?connection (?:from the pool )?within\b|\bConnectionTimeoutError\b",
    r"\bConnectionPool::TimeoutError\b|\bSequel::PoolTimeout\b|\ball pooled connections (?:were|are) in use\b",
    r"\bprior to obtaining a connection from the pool\b|\bThe connection pool has been exhausted\b",
    r"\bwait queue for acquiring a connection\b|\bMongoWaitQueueFullException\b",
    r"\b(?:redis|pg): connection pool (?:timeout|exhausted)\b|\bpool timed out while waiting for an open connection\b",
    r"\btimed out waiting for connection$|\bwhile waiting for a slot to become available\b|\bTimed out in bb8\b",
    r"\bconnection not available and request was dropped from queue\b|\bfailed to acquire connection from pool\b",
    # In front of the server: pgbouncer, Supavisor, pgcat, Odyssey, ProxySQL, RDS Proxy
    r"\bquery_wait_timeout\b(?!\s?=)|\bno more connections allowed\b|\bEMAXCONNSESSION\b|\bmax clients reached\b",
    r"\bMax client connections reached\b|\bMax connect timeout reached while reaching hostgroup\b",
    r"\bTimed-out waiting to acquire database connection\b",
    # PostgreSQL, MySQL and MariaDB, Oracle, SQL Server, Db2, MongoDB, Redis, Cassandra
    r"\btoo many clients already\b|\bremaining connection slots are reserved\b",
    r"\btoo many connections for (?:role|database)\b",
    r"\btoo many (?:open |client |database |db |active )?connections\b(?! from\b)",
    r"\bexceeded the 'max_\w*connections' resource\b",
    r"\balready has more than 'max_user_connections'|\bORA-(?:00018|00020|12516|12519|12520|02391)\b",
    r"\bmaximum number of '?\d*'? ?user connections has already been reached\b",
    r"\bThe session limit for the (?:database|elastic)\b",
    r"\bmaximum number of applications is already connected\b|\bmax number of clients reached\b",
    r"\bPool is busy \(no available connection\b",
    # What people make of it in their own words.
    r"\b(?:failed|unable|could not|couldn't|cannot|can't|timed out|timeout|gave up|error)(?:\s(?:to|while|when|trying|waiting|for|a|an|the|on)){0,4}"
    r"\s(?:(?:get|obtain|acquire|check(?:ing)?[ -]?out|fetch|borrow|take)(?:ting|ing)?|acquiring)?\s?(?:an? |the )?(?:free |new |idle )?(?:\w{1,20} )?"
    r"connection (?:object )?(?:from|out of|in) (?:the |a |its )?(?:\w{1,20} ){0,2}pool\b",
    r"\bconnection from (?:the |a )?(?:\w{1,20} ){0,2}pool[^\n]{0,20}\b(?:timed out|timeout)\b|\bacquir(?:e|ing) (?:a )?connection time(?:d )?out\b",
    r"(?:(?<![\s\S])|(?<=[:;,(] ))pool (?:is |was |has been |got )?(?:exhausted|depleted)\b(?! (?:handler|policy|action|alert)s?\b)",
    r"\ball (?:db |database )?connections (?:in (?:the )?(?:connection )?pool )?(?:are|were) (?:busy|in use|taken)\b",
    r"\b(?:ran|run|running|we are|we're|is) out of (?:free |available )?(?:db |database )?connections\b",
    r"\b(?:connection|db|database|sql|jdbc) ?pool (?:is |was |has been |got )?(?:exhausted|full(?!,? discarding)|depleted|saturated)\b",
    r"\b(?:exhausted|depleted|saturated) (?:the )?(?:connection|db|database) ?pool\b",
    r"\bno (?:more |free |available |idle )?(?:db |database )?connections? (?:is |are )?(?:available|left|free)\b(?! to close)",
    r"\bmax(?:imum)?[ _](?:number of )?(?:db |database )?connections (?:has been |have been |was )?(?:reached|exceeded)\b",
)
_POOL_NOT = (
    *_none_of(_POOL_WORDS, _POOL_WORDS),
    r"\b(?:https?|urllib3|threads?|workers?|objects?|memory|executor|buffer|process|tasks?|jobs?|ip|dhcp|address|port|session|storage|disk|thin|entropy)"
    r"[ :-]{1,2}(?:connection ?)?pool\b[^\n]{0,40}",
    r"\b(?:https? (?:request|client)|httpclient|SdkClient\w*|org\.apache\.h(?:ttp|c))\b[^\n]{0,120}",
    r"\b(?:on|if|when|before|until|unless|prevent|prevents|avoid|avoids)[ _-](?:the )?"
    r"(?:(?:connection|db|database) )?(?:pool )?(?:is )?(?:exhausted|exhaustion|PoolTimeout|too many connections)\b",
)

# --- databaseDown -------------------------------------------------------------------------------------------------

_DOWN_WORDS = (
    r"connections? (?:refused|resets?|failures?|errors?|lost)|connect(?:ion)?[ _-](?:errors?|failures?)|lost connections?"
    r"|failed connections?|reconnect(?:s|ions?)?"
)
_PORT = r"(?:5432|6432|3306|33060|1521|1433|27017|6379|26257|9042|50000)"
_DOWN = (
    # PostgreSQL and what speaks to it: libpq, psycopg, pgjdbc, node-postgres, Npgsql, asyncpg, pgx, Prisma, pgbouncer
    r"\bdatabase system is (?:starting up|shutting down|in recovery mode|not (?:yet )?accepting connections)\b",
    r"\bterminating connection (?:due to|because of)\b|\bserver closed the connection unexpectedly\b",
    r"\bcould not connect to (?:server|database|the database|db|postgres\w*|mysql|mariadb|redis|mongo\w*)\b",
    r"\bconnection to server (?:at|on socket) \S{1,200}[^\n]{0,80} failed\b",
    r"\bSSL (?:connection has been closed unexpectedly|SYSCALL error)\b",
    r"\bThe connection attempt failed\b|\bI/O error occurred while sending to the backend\b",
    r"\bThis connection has been closed\b",
    r"\bConnection terminated (?:unexpectedly|due to connection timeout)\b",
    r"\bclient has encountered a connection error\b",
    r"\bCan't reach database server\b|\bServer has closed the connection\b|\bP10(?:01|02|17)\b",
    r"\bthe connection is (?:closed|lost)\b",
    r"\bConnectionDoesNotExistError\b|\bCannotConnectNowError\b|\bconnection was closed in the middle of operation\b",
    r"\bserver login has been failing\b|\bcannot connect to server\b|\bserver conn crashed\b",
    r"\bclosing because: connect failed\b",
    r"\bno connection to the server\b|\bFailed to connect to `?(?:host|user)=",
    r"\bPG::(?:ConnectionBad|UnableToSend)\b",
    r"\berror communicating with (?:the )?database\b|\bDBConnection\.ConnectionError\b",
    r"\bPostgrex\.Protocol\b[^\n]{0,80}\bfailed to connect\b",
    # MySQL and MariaDB
    r"\bCan't connect to (?:local )?(?:MySQL |MariaDB )?server\b|\bserver has gone away\b",
    r"\bLost connection to (?:MySQL |MariaDB )?(?:server|backend)\b",
    r"\bCommunications link failure\b|\bServer shutdown in progress\b|\bPROTOCOL_CONNECTION_LOST\b",
    r"\bThe server closed the connection\b",
    r"\bUnable to connect to any of the specified MySQL hosts\b|\bdriver: bad connection\b|\binvalid connection$",
    r"\bMysql2::Error::ConnectionError\b",
    # Oracle, SQL Server, Db2
    r"\bORA-(?:03113|03114|03135|01033|01034|01089|01090|12514|12170|12505|12528|12537|12541|12543|12547)\b",
    r"\bDPY-600[0-9]\b|\bDPY-4011\b",
    r"\bnetwork adapter could not establish the connection\b|\bnetwork-related or instance-specific error\b",
    r"\btransport-level error has occurred\b",
    r"\bThe TCP/IP connection to the host \S{1,200} port \d+ has failed\b|\bSHUTDOWN is in progress\b|\bSQL30081N\b",
    # MongoDB, Redis, Cassandra
    r"\bMongo(?:ServerSelection|Network|NotConnected)\w*\b|\bServerSelectionTimeoutError\b",
    r"\bNo suitable servers found\b|\bserver selection (?:error|timeout)\b",
    r"\bMongoSocket(?:Open|Read|Write)\w*|\bwhile waiting (?:to connect|for a server that matches)\b",
    r"\bNotWritablePrimary\b|\binterrupted at shutdown\b",
    r"\bRedis connection to \S{1,200} failed\b|\bCould not connect to Redis\b|\bUnable to connect to Redis\b",
    r"\bRedisConnection(?:Exception|Failure\w*)\b",
    r"\bLOADING Redis is loading\b|\bMASTERDOWN Link with MASTER is down\b|\bNoHostAvailable(?:Exception)?\b",
    r"\bAllNodesFailedException\b",
    # Layers above: JDBC pools, Spring, Hibernate, Rails, PDO, Django, SQLAlchemy
    r"\bException during pool initialization\b|\bFailed to validate connection\b|\bUnable to acquire JDBC Connection\b",
    r"\b(?:Could not open|Failed to obtain) (?:a )?(?:JDBC Connection|JPA EntityManager|Hibernate Session)\b",
    r"\bJDBCConnectionException\b|\bUnable to obtain JDBC Connection\b",
    r"\bActiveRecord::(?:ConnectionNotEstablished|DatabaseConnectionError|ConnectionFailed)\b",
    r"\bSequel::DatabaseConnectionError\b|\bSQLSTATE\[(?:HY000\] \[200[236]|08\d\d\d)",
    r"\bSequelize(?:ConnectionRefused|HostNotFound|HostNotReachable|ConnectionTimedOut)?(?:ConnectionError|Error)\b[^\n]{0,120}\bconnect\b",
    r"\bCould not translate host name\b|\b(?:database|db) (?:is )?(?:down|unreachable|unavailable)\b",
    r"\b(?:lost|no) (?:the )?connection to (?:the )?(?:database|db)\b",
    # What any client says of a connection, at a database's port or with none.
    rf"\b(?:ECONNREFUSED|ETIMEDOUT|ECONNRESET|EHOSTUNREACH)\s\S{{1,200}}:{_PORT}\b",
    r"\bconnection (?:refused|reset by peer|reset(?! by \S+ port)|timed out|closed by (?:remote|server)|closed unexpectedly|lost)\b",
    r"\b(?:ECONNREFUSED|ECONNRESET|EHOSTUNREACH|EPIPE)\b",
)
_DOWN_MARKS = (
    rf":{_PORT}\b[^\n]{{0,80}}\b(?:refused|timed out|timeout|no route to host|unreachable|reset by peer)\b",
    r"\b57P0[123]\b",
)
_BROKEN = (
    r"(?:connection (?:refused|reset by peer|reset|timed out|closed by (?:remote|server)|closed unexpectedly|lost)"
    r"|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|EPIPE)\b"
)
_PEER = r"(?:upstream|smtp|smtps|amqp|amqps|kafka|rabbitmq|mqtt|ldap|sftp|sshd|imap|websocket|http2?|proxy)\b"
_PEER_PORT = r":(?:22|25|80|389|443|465|587|5671|5672|8080|8443|9092|9200)\b"
_DOWN_NOT = (
    *_none_of(_DOWN_WORDS, _DOWN_WORDS),
    # Another peer than a database: what stands up to the end of the line is about it.
    r"\bhttps?://[^\n]*",
    rf"\b{_PEER}[^\n]{{0,300}}?\b{_BROKEN}",
    rf"\b{_BROKEN}(?=[^\n]{{0,300}}(?:\b{_PEER}|{_PEER_PORT}))",
    r"\bclient[\w .]{0,40} (?:connection reset|reset the connection|closed the connection)\b",
    r"\bconnection reset by peer while (?:reading|sending) (?:client|to client)\b",
    r"\b(?:on|if|when|upon|after|retry on|ignore)[ _-](?:connection )?(?:refused|reset|lost)\b",
)
_DOWN_NOT_MARKS = (
    rf"{_PEER_PORT}[^\n]{{0,300}}?\b{_BROKEN}",
    *_no_marks(_DOWN_WORDS),
)


@dataclass(frozen=True)
class LinePattern:
    """A named set as one regular expression."""

    expression: str
    """What a message has to match."""
    finds: str
    """What it recognises, for people."""


PATTERNS: Mapping[PatternSet, LinePattern] = {
    "errorLines": LinePattern(
        f"(?i)^(?:{_ERROR_LINES})",
        "Lines that report an error: by their level (`ERROR`, `FATAL`, `SEVERE`, `[error]`, `level=error`, pino's `50`, "
        "klog's `E0501`), an exception with what it says, a stack trace or a panic, a field that holds an error, an answer "
        "of 5xx, or the words error, failed, could not, timed out and the like. Not a count of zero, `error=null`, a path "
        "such as `/errors`, an answer of 2xx, or such a word in a line whose level is info or below",
    ),
    "outOfMemory": LinePattern(
        f"(?i)^{_holds(_OUT_OF_MEMORY, _OUT_OF_MEMORY_MARKS, _OUT_OF_MEMORY_NOT, _no_marks(_OUT_OF_MEMORY_WORDS))}",
        "Lack of memory as reported by the JVM, Node and V8, Go, Python, .NET, Ruby, PHP, Perl, Erlang, C and C++, Rust, the "
        "kernel's and systemd's OOM killers, PostgreSQL, MySQL, Redis. Not that of a graphics card, nor options such as "
        "`-XX:+HeapDumpOnOutOfMemoryError`",
    ),
    "poolExhausted": LinePattern(
        f"(?i)^{_holds(_POOL, _NEVER, _POOL_NOT, _no_marks(_POOL_WORDS))}",
        "No connection to be had: from the pools HikariCP, Tomcat JDBC, DBCP, C3P0, Druid, Agroal, IronJacamar, UCP, "
        "R2DBC, Jedis, SQLAlchemy, psycopg, PyMongo, pg, knex, Sequelize, Prisma, mysql2, ActiveRecord, Sequel, SqlClient, "
        "Npgsql, MySqlConnector, go-redis, sqlx, r2d2, DBConnection; from pgbouncer, Supavisor, ProxySQL, RDS Proxy; from "
        "PostgreSQL, MySQL, MariaDB, Oracle, SQL Server, Db2, MongoDB, Redis, Cassandra. Not pools of threads or of HTTP "
        "connections. Go's database/sql says nothing when its pool is used up: the line is the service's own",
    ),
    "databaseDown": LinePattern(
        f"(?i)^{_holds(_DOWN, _DOWN_MARKS, _DOWN_NOT, _DOWN_NOT_MARKS)}",
        "A database that is away, starts, stops or broke the connection, in the words of PostgreSQL, MySQL, MariaDB, "
        "Oracle, SQL Server, MongoDB, Redis, Cassandra, their drivers and pools; and any refused or reset connection of "
        "which the line does not say that it leads to something else than a database (a URL, an upstream, mail, a broker)",
    ),
}


def is_error_line(line: str) -> bool:
    """Whether a line is of the set ``errorLines``."""
    return _error_line().search(line) is not None


@cache
def _error_line() -> re.Pattern[str]:
    return re.compile(PATTERNS["errorLines"].expression)  # so large that only those who ask wait for it
