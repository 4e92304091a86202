"""Kinds of secrets and personal data, each drawn at its vendor's or its standard's length and alphabet."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable, Sequence
from urllib.parse import quote

from tests.unit.safety.corpus.case import Command, Item, Keyed, Kind, Lines, Text

Made = Callable[[random.Random], str]

LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
ALNUM = LOWER + UPPER + DIGITS
HEX = "0123456789abcdef"
URL64 = ALNUM + "-_"
BASE32 = UPPER + "234567"
SYMBOLS = "!@#%^*_-+.?=~,$"
WORDS = (
    "amber",
    "basket",
    "copper",
    "dragon",
    "ember",
    "falcon",
    "granite",
    "harbor",
    "indigo",
    "jungle",
    "kettle",
    "lantern",
)


def drawn(alphabet: str, least: int, most: int | None = None) -> Made:
    return lambda rng: "".join(rng.choices(alphabet, k=rng.randint(least, most or least)))


def prefixed(prefix: str, alphabet: str, least: int, most: int | None = None, suffix: str = "") -> Made:
    rest = drawn(alphabet, least, most)
    return lambda rng: prefix + rest(rng) + suffix


def one_of(*makers: Made) -> Made:
    return lambda rng: rng.choice(makers)(rng)


def password(rng: random.Random) -> str:
    """As people and generators choose them."""
    match rng.randint(0, 3):
        case 0:
            return "".join(rng.choices(ALNUM, k=rng.randint(8, 20)))
        case 1:
            start, middle = rng.choice(ALNUM), rng.choices(ALNUM + SYMBOLS, k=rng.randint(8, 18))
            return start + "".join(middle) + rng.choice(ALNUM)
        case 2:
            return "-".join(rng.sample(WORDS, 3)) + str(rng.randint(10, 99))
        case _:
            return rng.choice(WORDS).capitalize() + str(rng.randint(1000, 2030)) + rng.choice("!?#*")


def uuid(rng: random.Random) -> str:
    return "-".join("".join(rng.choices(HEX, k=length)) for length in (8, 4, 4, 4, 12))


def b64(least: int, most: int | None = None) -> Made:
    return lambda rng: base64.b64encode(rng.randbytes(rng.randint(least, most or least))).decode()


def jwt(rng: random.Random) -> str:
    return "eyJ" + ".".join("".join(rng.choices(URL64, k=length)) for length in (33, rng.randint(40, 160), 43))


def _luhn(digits: str) -> str:
    total = 0
    for index, digit in enumerate(reversed([int(each) for each in digits])):
        doubled = digit if index % 2 else digit * 2
        total += doubled - 9 if doubled > 9 else doubled
    return digits + str(-total % 10)


def _card_head(rng: random.Random) -> str:
    head = rng.choice(("4", "51", "53", "55", "6011"))
    return head + "".join(rng.choices(DIGITS, k=15 - len(head)))


def _card(rng: random.Random, between: str) -> str:
    number = _luhn(_card_head(rng))
    return between.join(number[start : start + 4] for start in range(0, 16, 4))


def _national_phone(rng: random.Random) -> str:
    return rng.choice(
        (
            f"0{rng.randint(151, 179)} {rng.randint(1000000, 9999999)}",
            f"030/{rng.randint(1000000, 9999999)}",
            f"({rng.randint(201, 989)}) {rng.randint(201, 989)}-{rng.randint(1000, 9999)}",
            f"{rng.randint(201, 989)}-{rng.randint(201, 989)}-{rng.randint(1000, 9999)}",
            f"07{rng.randint(100, 999)} {rng.randint(100000, 999999)}",
            f"06 {rng.randint(10, 99)} {rng.randint(10, 99)} {rng.randint(10, 99)} {rng.randint(10, 99)}",
        )
    )


# Values with a name.


def keyed(
    name: str, keys: Sequence[str], value: Made, *, aside: Sequence[str] = (), claimed: bool = True, only: str = ""
) -> Kind:
    def made(rng: random.Random, is_aside: bool) -> Item:
        return Keyed(rng.choice(list(aside) if is_aside and aside else list(keys)), value(rng))

    return Kind(name, made, claimed, frozenset(only.split(",")) if only else frozenset())


_NOT_A_HEADER = (
    "bare,colon,own line,logfmt,json,json in json,json in json in json,yaml,environment,export,python,java,syslog,ini"
)

KEYED = (
    keyed("password", ("password", "Password", "PASSWORD", "passwd", "pwd"), password, aside=("passWord", "passwd1", "PassWd", "the_password")),
    keyed(
        "password of something",
        ("db_password", "dbPassword", "mysql_root_password", "spring.datasource.password", "POSTGRES_PASSWORD", "admin-password"),
        password,
        aside=("svcAccountPassword", "ldap.bind.password", "SMTP_PASSWD", "oracle_sys_pwd", "grafana-admin-password", "newPassword"),
    ),
    keyed("short pass", ("db_pass", "DB_PASS", "dbPass", "user_pass", "smtp_pass"), password, aside=("REDIS_PASS", "ftpPass", "rpc_pass", "vnc_pw")),
    keyed("passphrase", ("passphrase", "key_passphrase", "gpgPassphrase"), password, aside=("ssl_passphrase", "walletPassphrase", "passPhrase")),
    keyed("PGPASSWORD and alike", ("PGPASSWORD", "MYSQL_PWD", "REDISCLI_AUTH_TOKEN", "SSHPASS_PASSWORD"), password, aside=("LDAP_PASSWD", "RABBITMQ_DEFAULT_PASS", "MONGO_INITDB_ROOT_PASSWORD")),
    keyed("password in other languages", ("passwort", "contraseña", "mot_de_passe", "senha"), password, aside=("kennwort", "wachtwoord", "mdp"), only=_NOT_A_HEADER),
    keyed("secret", ("secret", "app_secret", "appSecret", "SECRET"), drawn(ALNUM, 16, 40), aside=("sharedSecret", "hmac_secret", "COOKIE_SECRET", "secret_token")),
    keyed("client secret", ("client_secret", "clientSecret", "oauth_client_secret"), drawn(ALNUM + "-_~.", 32, 40), aside=("GOOGLE_CLIENT_SECRET", "consumer_secret", "azureClientSecret")),
    keyed("secret key", ("secret_key", "secretKey", "SECRET_KEY_BASE", "django_secret_key"), drawn(ALNUM + "+/", 40, 64), aside=("S3_SECRET_KEY", "flaskSecretKey", "stripe_secret_key")),
    keyed("api key", ("api_key", "apiKey", "apikey", "x-api-key"), drawn(ALNUM, 24, 40), aside=("DATADOG_API_KEY", "mapsApiKey", "api-key", "weather_apikey")),
    keyed("access key", ("access_key", "accessKey", "minio_access_key"), drawn(ALNUM, 20), aside=("OSS_ACCESS_KEY", "s3AccessKey")),
    keyed("private key value", ("private_key", "privateKey", "wg_private_key"), b64(32), aside=("PRIVATE_KEY", "nodePrivateKey", "vapid_private_key")),
    keyed("encryption key", ("encryption_key", "encryptionKey", "master_key"), drawn(HEX, 64), aside=("DATA_ENCRYPTION_KEY", "rails_master_key", "dbEncryptionKey")),
    keyed("signing key", ("signing_key", "signingKey", "signing_secret"), drawn(HEX, 32), aside=("JWT_SIGNING_KEY", "slack_signing_secret")),
    keyed("token", ("token", "auth_token", "authToken", "TOKEN"), drawn(ALNUM + "-_", 24, 48), aside=("bot_token", "DEPLOY_TOKEN", "x-auth-token", "gitToken")),
    keyed("access token", ("access_token", "accessToken", "ACCESS_TOKEN"), drawn(ALNUM + "-_.", 32, 64), aside=("fbAccessToken", "personal_access_token")),
    keyed("refresh token", ("refresh_token", "refreshToken"), drawn(ALNUM + "-_", 40, 64), aside=("OAUTH_REFRESH_TOKEN", "offline_refresh_token")),
    keyed("csrf token", ("csrf_token", "csrfToken", "authenticity_token"), b64(32), aside=("XSRF-TOKEN", "csrfmiddlewaretoken")),
    keyed("aws secret key", ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", "SecretAccessKey"), drawn(ALNUM + "+/", 40), aside=("secretAccessKey", "aws_secret_key")),
    keyed("aws session token", ("aws_session_token", "AWS_SESSION_TOKEN", "SessionToken"), prefixed("IQoJb3JpZ2luX2Vj", ALNUM + "+/", 200, 300), aside=("sessionToken", "x-amz-security-token")),
    keyed("azure account key", ("account_key", "AccountKey", "AZURE_STORAGE_KEY"), prefixed("", ALNUM + "+/", 86, suffix="=="), aside=("storageAccountKey", "azure_account_key")),
    keyed("credentials", ("credentials", "credential", "db_credentials"), password, aside=("registry-credentials", "userCredential")),
    keyed("session id", ("session_id", "sessionId", "JSESSIONID", "PHPSESSID"), drawn(ALNUM, 26, 40), aside=("sessionid", "ASP.NET_SessionId", "X-Session-Id")),
    keyed("smtp and ldap", ("smtp_password", "bindpw", "ldap_bind_password", "rootpw"), password, aside=("mail.smtp.password", "LDAP_ADMIN_PASSWORD", "olcRootPW")),
    keyed("redis", ("requirepass", "masterauth", "redis_password"), password, aside=("REDIS_PASSWORD", "sentinelPassword"), only=_NOT_A_HEADER),
    keyed("keystore", ("keystore_password", "storepass", "keypass", "javax.net.ssl.keyStorePassword"), password, aside=("ssl.truststore.password", "keyStorePass", "trustpass"), only=_NOT_A_HEADER),
    keyed("wifi", ("wpa_passphrase", "psk", "wpa_psk", "wifi_password"), password, aside=("wifi-sec.psk", "wlanPsk", "wpa_password"), only=_NOT_A_HEADER),
    keyed("totp seed", ("totp_secret", "otp_secret", "mfa_secret"), drawn(BASE32, 16, 32), aside=("twoFactorSecret", "google_authenticator_secret")),
    keyed("one-time code", ("otp", "mfa_code", "verification_code", "security_code"), drawn(DIGITS, 6), aside=("otp_code", "smsVerificationCode", "totp"), only=_NOT_A_HEADER),
    keyed("recovery code", ("recovery_code", "backup_code", "recoveryCode"), lambda rng: f"{drawn(LOWER + DIGITS, 5)(rng)}-{drawn(LOWER + DIGITS, 5)(rng)}", aside=("backupCode", "RECOVERY_CODE", "account_recovery_code")),
    keyed("saml", ("SAMLResponse", "SAMLRequest"), b64(180, 300), aside=("samlResponse", "saml_response"), only="url,json,json in json,logfmt,bare,url in url,python,ruby,syslog,ini"),
    keyed("webhook secret", ("webhook_secret", "webhookSecret"), drawn(HEX, 40), aside=("GITHUB_WEBHOOK_SECRET", "hook_secret")),
    keyed("license key", ("license_key", "licenseKey"), lambda rng: "-".join(drawn(UPPER + DIGITS, 5)(rng) for _ in range(5)), aside=("LICENCE_KEY", "product_license_key")),
    keyed("connection string", ("connection_string", "ConnectionString"), lambda rng: f"Server=db;Database=x;Uid=sa;Pwd={drawn(ALNUM, 14)(rng)}", aside=("AZURE_CONNECTION_STRING",), only="json,json in json,yaml,own line,python,ruby,rust,indented json"),
    keyed("signature", ("signature", "X-Hub-Signature", "request_signature"), drawn(HEX, 40, 64), aside=("x-signature", "hmac_signature")),
    keyed("pre-shared key", ("pre_shared_key", "PresharedKey", "shared_key"), b64(32), aside=("preSharedKey", "ipsec_psk", "SHARED_KEY")),
    keyed("k8s service account token", ("token", "serviceAccountToken", "bearer_token"), jwt, aside=("K8S_TOKEN", "sa_token")),
    keyed("card security code", ("cvv", "cvc", "card_cvv"), drawn(DIGITS, 3), aside=("CVV2", "cvv2"), only="json,json in json,logfmt,bare,python,url,java,syslog"),
    keyed("phone by name", ("phone", "phone_number", "mobile", "tel"), _national_phone, aside=("phoneNumber", "mobile_no", "fax", "msisdn"), only="json,json in json,json in json in json,colon,own line,logfmt,yaml,python,ruby,java,rust,xml,syslog,syslog json,indented json"),
    keyed("card by name", ("card_number", "pan", "cardNumber", "cc_number"), lambda rng: _card(rng, ""), aside=("creditCardNumber", "card_no", "cc"), only="json,json in json,json in json in json,bare,logfmt,yaml,python,ruby,java,rust,xml,syslog,url"),
    keyed("license or app key", ("app_key", "APP_KEY", "application_key"), drawn(ALNUM, 32), aside=("DD_APP_KEY", "appKey"), claimed=False),
    keyed("mnemonic", ("mnemonic", "seed_phrase"), lambda rng: " ".join(rng.sample(WORDS, 12)), aside=("wallet_mnemonic", "seedPhrase"), claimed=False, only="json,json in json,yaml,own line,python,ruby"),
    keyed("pin", ("pin", "pin_code"), drawn(DIGITS, 4, 6), aside=("user_pin",), claimed=False, only="json,json in json,logfmt,bare,python,java,syslog"),
    keyed("ssn", ("ssn",), lambda rng: f"{rng.randint(100, 899)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}", aside=("user_ssn",), claimed=False, only="json,json in json,logfmt,bare,python,java,syslog"),
    keyed("auth with nothing more", ("auth", "authkey"), drawn(ALNUM, 24, 32), aside=("auth_key",), claimed=False, only=_NOT_A_HEADER),
    keyed("key with nothing more", ("key",), drawn(ALNUM, 24, 40), aside=("k",), claimed=False, only="json,yaml,logfmt"),
)  # fmt: skip


# Secret by themselves.


def text(
    name: str, value: Made, phrase: str = "{}", *, claimed: bool = True, aside: Made | None = None, only: str = ""
) -> Kind:
    def made(rng: random.Random, is_aside: bool) -> Item:
        secret = (aside or value)(rng) if is_aside else value(rng)
        return Text(phrase.replace("{}", secret), secret)

    return Kind(name, made, claimed, frozenset(only.split(",")) if only else frozenset())


def phrased(
    name: str, value: Made, phrases: Sequence[str], aside: Sequence[str] = (), *, claimed: bool = True, only: str = ""
) -> Kind:
    def made(rng: random.Random, is_aside: bool) -> Item:
        secret = value(rng)
        return Text(rng.choice(list(aside) if is_aside and aside else list(phrases)).replace("{}", secret), secret)

    return Kind(name, made, claimed, frozenset(only.split(",")) if only else frozenset())


def _iban(rng: random.Random, between: str = "") -> str:
    country, length = rng.choice(
        (("DE", 18), ("AT", 16), ("CH", 17), ("ES", 20), ("BE", 12), ("PL", 24), ("PT", 21), ("DK", 14))
    )
    account = "".join(rng.choices(DIGITS, k=length))
    number = int("".join(str(int(each, 36)) for each in account + country + "00"))
    whole = f"{country}{98 - number % 97:02}{account}"
    return between.join(whole[start : start + 4] for start in range(0, len(whole), 4)) if between else whole


def _iban_of_letters(rng: random.Random) -> str:
    account = "".join(rng.choices(UPPER, k=4)) + "".join(rng.choices(DIGITS, k=14))
    country = rng.choice(("GB",))
    number = int("".join(str(int(each, 36)) for each in account + country + "00"))
    return f"{country}{98 - number % 97:02}{account}"


def _international_phone(rng: random.Random) -> str:
    return rng.choice(
        (
            f"+1 {rng.randint(201, 989)}-{rng.randint(201, 989)}-{rng.randint(1000, 9999)}",
            f"+1 ({rng.randint(201, 989)}) {rng.randint(201, 989)}-{rng.randint(1000, 9999)}",
            f"+49 {rng.randint(151, 179)} {rng.randint(1000000, 99999999)}",
            f"+44 20 {rng.randint(1000, 9999)} {rng.randint(1000, 9999)}",
            f"+33 6 {rng.randint(10, 99)} {rng.randint(10, 99)} {rng.randint(10, 99)} {rng.randint(10, 99)}",
            f"+4917{rng.randint(10000000, 999999999)}",
            f"+91 {rng.randint(70000, 99999)} {rng.randint(10000, 99999)}",
            f"+1{rng.randint(201, 989)}{rng.randint(2000000, 9899999)}",
        )
    )


def _login(rng: random.Random) -> str:
    return base64.b64encode(f"{rng.choice(WORDS)}:{password(rng)}".encode()).decode()


def _email(rng: random.Random) -> str:
    who = f"{rng.choice(WORDS)}{rng.choice(('.', '_', ''))}{rng.choice(WORDS)}{rng.choice(('', '+x', str(rng.randint(1, 99))))}"
    return f"{who}@{rng.choice(('example.com', 'mail.example.org', 'example.co.uk', 'example.dev'))}"


def _in_url(rng: random.Random) -> str:
    return quote(password(rng), safe="")


_NOT_ENCODED = frozenset(
    (
        "bare",
        "sentence",
        "logfmt",
        "json",
        "json in json",
        "json in json in json",
        "json line",
        "yaml",
        "coloured",
        "xml",
        "sql",
        "python",
        "go",
        "syslog",
    )
)


VENDORS = (
    text("AWS key", prefixed("AKIA", UPPER + DIGITS, 16), aside=prefixed("ASIA", UPPER + DIGITS, 16)),
    text("Google API key", prefixed("AIza", URL64, 35)),
    text("Google OAuth", one_of(prefixed("ya29.", URL64, 60, 120), prefixed("GOCSPX-", URL64, 28))),
    text("GitHub", one_of(prefixed("ghp_", ALNUM, 36), prefixed("gho_", ALNUM, 36)), aside=one_of(prefixed("ghs_", ALNUM, 36), prefixed("github_pat_", ALNUM + "_", 82))),
    text("GitLab", prefixed("glpat-", URL64, 20), aside=prefixed("gldt-", URL64, 20)),
    text("GitLab runner", one_of(prefixed("glrt-", URL64, 20), prefixed("GR1348941", URL64, 20))),
    text("Slack", lambda rng: f"xoxb-{drawn(DIGITS, 12)(rng)}-{drawn(DIGITS, 12)(rng)}-{drawn(ALNUM, 24)(rng)}", aside=lambda rng: f"xoxp-{drawn(DIGITS, 12)(rng)}-{drawn(DIGITS, 12)(rng)}-{drawn(HEX, 32)(rng)}"),
    text("Slack app", lambda rng: f"xapp-1-A{drawn(UPPER + DIGITS, 10)(rng)}-{drawn(DIGITS, 13)(rng)}-{drawn(HEX, 64)(rng)}"),
    text("Stripe", prefixed("sk_live_", ALNUM, 24, 99), aside=prefixed("rk_live_", ALNUM, 24)),
    text("Stripe webhook", prefixed("whsec_", ALNUM, 32)),
    text("npm", prefixed("npm_", ALNUM, 36)),
    text("PyPI", prefixed("pypi-AgEIcHlwaS5vcmc", URL64, 80, 150)),
    text("Docker Hub", prefixed("dckr_pat_", URL64, 27)),
    text("SendGrid", lambda rng: f"SG.{drawn(URL64, 22)(rng)}.{drawn(URL64, 43)(rng)}"),
    text("OpenAI", one_of(prefixed("sk-", ALNUM, 48), prefixed("sk-proj-", URL64, 100, 156))),
    text("Anthropic", prefixed("sk-ant-api03-", URL64, 93, suffix="AA")),
    text("Hugging Face", prefixed("hf_", LOWER + UPPER, 34)),
    text("Vault", prefixed("hvs.", URL64, 90, 110), aside=prefixed("hvb.", URL64, 130)),
    text("DigitalOcean", prefixed("dop_v1_", HEX, 64)),
    text("Shopify", prefixed("shpat_", HEX, 32), aside=prefixed("shpss_", HEX, 32)),
    text("Grafana", lambda rng: f"glsa_{drawn(ALNUM, 32)(rng)}_{drawn(HEX, 8)(rng)}"),
    text("age", prefixed("AGE-SECRET-KEY-1", UPPER + DIGITS, 58)),
    text("Twilio", prefixed("SK", HEX, 32)),
    text("Mailgun", prefixed("key-", HEX, 32)),
    text("Databricks", prefixed("dapi", HEX, 32)),
    text("Atlassian", prefixed("ATATT3xFfGF0", URL64 + "=", 180, suffix="=0A1B2C3D")),
    text("Tailscale", lambda rng: f"tskey-auth-k{drawn(ALNUM, 11)(rng)}CNTRL-{drawn(ALNUM, 32)(rng)}"),
    text("Linear", prefixed("lin_api_", ALNUM, 40)),
    text("RubyGems", prefixed("rubygems_", HEX, 48)),
    text("NuGet", prefixed("oy2", LOWER + DIGITS, 43)),
    text("Telegram bot", lambda rng: f"{drawn(DIGITS, 10)(rng)}:AA{drawn(URL64, 33)(rng)}"),
    text("Discord bot", lambda rng: f"M{drawn(ALNUM, 23)(rng)}.{drawn(URL64, 6)(rng)}.{drawn(URL64, 38)(rng)}"),
    text("New Relic", prefixed("NRAK-", UPPER + DIGITS, 27)),
    text("Sentry", prefixed("sntrys_", ALNUM + "_", 100)),
    text("Terraform Cloud", lambda rng: f"{drawn(ALNUM, 14)(rng)}.atlasv1.{drawn(URL64, 67)(rng)}"),
    text("Groq, Replicate", one_of(prefixed("gsk_", ALNUM, 52), prefixed("r8_", ALNUM, 37))),
    text("Figma", prefixed("figd_", URL64, 40)),
    text("Postman", lambda rng: f"PMAK-{drawn(HEX, 24)(rng)}-{drawn(HEX, 34)(rng)}"),
    text("Doppler", prefixed("dp.pt.", ALNUM, 43)),
    text("Azure client secret", lambda rng: f"{drawn(ALNUM, 3)(rng)}8Q~{drawn(ALNUM + '-_.~', 34)(rng)}"),
    text("Alibaba, Tencent", one_of(prefixed("LTAI5t", ALNUM, 18), prefixed("AKID", ALNUM, 32))),
    text("Yandex", prefixed("y0_", URL64, 55)),
    text("Heroku, Netlify", one_of(prefixed("HRKU-", URL64, 60), prefixed("nfp_", ALNUM, 36))),
    text("Fly.io", prefixed("fm2_", ALNUM + "+/", 120)),
    text("Supabase", one_of(prefixed("sbp_", HEX, 40), prefixed("sb_secret_", URL64, 31))),
    text("PlanetScale, Neon", one_of(prefixed("pscale_pw_", URL64, 43), prefixed("napi_", LOWER + DIGITS, 64))),
    text("Square", prefixed("sq0atp-", URL64, 22), aside=prefixed("sq0csp-", URL64, 43)),
    text("Plaid", lambda rng: f"access-production-{uuid(rng)}"),
    text("Razorpay", prefixed("rzp_live_", ALNUM, 14)),
    text("Braintree", lambda rng: f"access_token$production${drawn(LOWER + DIGITS, 16)(rng)}${drawn(HEX, 32)(rng)}"),
    text("crates.io", prefixed("cio", ALNUM, 32)),
    text("JFrog", prefixed("AKCp", ALNUM, 69)),
    text("Mailchimp", lambda rng: f"{drawn(HEX, 32)(rng)}-us{rng.randint(1, 21)}"),
    text("Brevo, Resend", one_of(lambda rng: f"xkeysib-{drawn(HEX, 64)(rng)}-{drawn(ALNUM, 16)(rng)}", lambda rng: f"re_{drawn(ALNUM, 8)(rng)}_{drawn(ALNUM, 24)(rng)}")),
    text("Perplexity, xAI", one_of(prefixed("pplx-", ALNUM, 48), prefixed("xai-", ALNUM, 80))),
    text("Pinecone, LangSmith", one_of(prefixed("pcsk_", ALNUM + "_", 70), lambda rng: f"lsv2_pt_{drawn(HEX, 32)(rng)}_{drawn(HEX, 10)(rng)}")),
    text("ElevenLabs, NVIDIA", one_of(prefixed("sk_", HEX, 48), prefixed("nvapi-", URL64, 64))),
    text("Pulumi", prefixed("pul-", HEX, 40)),
    text("1Password", one_of(prefixed("ops_eyJ", ALNUM, 250), lambda rng: "A3-" + "-".join(drawn(UPPER + DIGITS, size)(rng) for size in (6, 6, 5, 5, 5, 5)))),
    text("Dynatrace", lambda rng: f"dt0c01.{drawn(UPPER + DIGITS, 24)(rng)}.{drawn(UPPER + DIGITS, 64)(rng)}"),
    text("Notion, Airtable", one_of(prefixed("ntn_", ALNUM, 46), lambda rng: f"pat{drawn(ALNUM, 14)(rng)}.{drawn(HEX, 64)(rng)}")),
    text("SonarQube, Sourcegraph", one_of(prefixed("squ_", HEX, 40), prefixed("sgp_", HEX, 40))),
    text("Buildkite, CircleCI", one_of(prefixed("bkua_", HEX, 40), lambda rng: f"CCIPAT_{drawn(ALNUM, 22)(rng)}_{drawn(HEX, 40)(rng)}")),
    text("JetBrains", lambda rng: f"perm:{drawn(ALNUM, 12)(rng)}.{drawn(ALNUM, 8)(rng)}.{drawn(ALNUM, 32)(rng)}"),
    text("wallets", one_of(prefixed("xprv9s21ZrQH143K", ALNUM, 95), prefixed("nsec1", LOWER + DIGITS, 58))),
    text("JSON Web Token", jwt),
    # Of vendors whose keys nothing marks, and of some that redaction does not list.
    text("unlisted vendor, words in its prefix", one_of(prefixed("acme_live_", ALNUM, 32), prefixed("zed_secret_", ALNUM, 28)), claimed=False),
    text("unlisted vendor", one_of(prefixed("zq9_", ALNUM, 40), prefixed("bkt-", ALNUM, 32)), claimed=False, only="bare,json,syslog"),
    text("uuid as a key", uuid, "Heroku key {}", claimed=False, only="bare,json,syslog"),
    text("random letters", drawn(ALNUM, 32), "using {} for it", claimed=False, only="bare,json,syslog"),
)  # fmt: skip

FORMS = (
    phrased("bearer token", drawn(URL64 + ".", 30, 60), ("Bearer {}", "bearer {}")),
    phrased("basic login", _login, ("Basic {}", "Authorization: Basic {}"), ("authorization: Basic {}",)),
    phrased("authorization header", drawn(ALNUM, 30, 50), ("Authorization: Bearer {}", "Authorization: Token {}", "Proxy-Authorization: Bearer {}"), ("authorization: ApiKey {}", "AUTHORIZATION: Bearer {}")),
    phrased("cookie", drawn(ALNUM, 26, 40), ("Cookie: sid={}; theme=dark", "Set-Cookie: JSESSIONID={}; Path=/; HttpOnly"), ("cookie: a=1; auth={}", "set-cookie: s={}; Secure")),
    phrased("curl with a header", drawn(ALNUM, 30, 50), ("curl -H 'Authorization: Bearer {}' https://api.example/v1", "curl -H 'X-Api-Key: {}' https://api.example/v1"), ("curl --header 'PRIVATE-TOKEN: {}' https://git.example/api",)),
    phrased("URL with a password", _in_url, ("postgres://app:{}@db:5432/shop", "https://bob:{}@git.example/x.git", "amqp://guest:{}@mq:5672/%2F", "redis://:{}@cache:6379/0"), ("mongodb+srv://svc:{}@c0.example.net/x", "mysql://root:{}@127.0.0.1/db", "smtp://mailer:{}@mail:587", "ldap://cn:{}@ldap")),
    phrased("DSN without a scheme", drawn(ALNUM, 10, 20), ("app:{}@tcp(db:3306)/shop?parseTime=true", "app:{}@db.example.com:5432/shop"), ("root:{}@unix(/run/mysqld.sock)/shop", "svc:{}@10.0.0.3/shop")),
    phrased("DSN of words", drawn(ALNUM, 10, 20), ("host=db user=app password={} dbname=shop", "Server=db;Database=shop;User Id=sa;Password={};"), ("jdbc:sqlserver://db;user=sa;password={};encrypt=true", "jdbc:mysql://db/shop?user=app&password={}")),
    phrased("Azure storage", prefixed("", ALNUM + "+/", 86, suffix="=="), ("DefaultEndpointsProtocol=https;AccountName=x;AccountKey={};EndpointSuffix=core.windows.net",), ("Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={}",)),
    phrased("Azure SAS", lambda rng: quote(b64(32)(rng), safe=""), ("https://x.blob.core.windows.net/c/b?sv=2024-05-04&se=2026-01-01&sr=b&sp=r&sig={}",), ("https://x.queue.core.windows.net/q?sp=raup&sig={}&sv=2024-05-04",)),
    phrased("signed URL", drawn(HEX, 64), ("https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature={}", "https://storage.googleapis.com/b/k?X-Goog-Expires=900&X-Goog-Signature={}"), ("https://b.s3.eu-west-1.amazonaws.com/k?AWSAccessKeyId=x&Signature={}&Expires=1",)),
    phrased("Slack webhook", lambda rng: f"T{drawn(UPPER + DIGITS, 9)(rng)}/B{drawn(UPPER + DIGITS, 9)(rng)}/{drawn(ALNUM, 24)(rng)}", ("https://hooks.slack.com/services/{}",)),
    phrased("Discord webhook", lambda rng: f"{drawn(DIGITS, 18)(rng)}/{drawn(URL64, 68)(rng)}", ("https://discord.com/api/webhooks/{}",), ("https://discordapp.com/api/webhooks/{}",)),
    phrased("Telegram URL", lambda rng: f"{drawn(DIGITS, 10)(rng)}:AA{drawn(URL64, 33)(rng)}", ("https://api.telegram.org/bot{}/sendMessage",)),
    phrased("Teams webhook", lambda rng: f"{uuid(rng)}@{uuid(rng)}/IncomingWebhook/{drawn(HEX, 32)(rng)}/{uuid(rng)}", ("https://acme.webhook.office.com/webhookb2/{}",)),
    phrased("otpauth URL", drawn(BASE32, 16, 32), ("otpauth://totp/Acme:bob?secret={}&issuer=Acme",), ("otpauth://hotp/x?secret={}&counter=1",)),
    phrased("OAuth code", drawn(URL64, 40, 60), ("/callback?code={}&state=x1",), ("/cb?state=ab&code={}",), claimed=False),
    phrased("password in SQL", password, ("CREATE USER app WITH PASSWORD '{}'", "ALTER USER app IDENTIFIED BY '{}'", "SET PASSWORD FOR app = PASSWORD('{}')"), ("ALTER ROLE app ENCRYPTED PASSWORD '{}'", "CREATE LOGIN app WITH PASSWORD = '{}'", "GRANT ALL ON x.* TO app IDENTIFIED BY '{}'"), only="bare,sentence,logfmt,json,json in json,json in json in json,yaml,coloured,python,syslog,sql"),
    phrased("SHA-crypt hash", lambda rng: f"$6${drawn(ALNUM, 8, 16)(rng)}${drawn(ALNUM + './', 86)(rng)}", ("app:{}", "hash {}")),
    phrased("bcrypt hash", lambda rng: f"$2b$12${drawn(ALNUM + './', 53)(rng)}", ("{}", "htpasswd app:{}")),
    phrased("yescrypt and argon2 hash", one_of(lambda rng: f"$y$j9T${drawn(ALNUM + './', 22)(rng)}${drawn(ALNUM + './', 43)(rng)}", lambda rng: f"$argon2id$v=19$m=65536,t=3,p=4${drawn(ALNUM, 22)(rng)}${drawn(ALNUM, 43)(rng)}"), ("{}",)),
    phrased("hash of a framework", one_of(lambda rng: f"pbkdf2_sha256$600000${drawn(ALNUM, 22)(rng)}${b64(32)(rng)}", lambda rng: "{SSHA}" + b64(28)(rng), lambda rng: f"SCRAM-SHA-256$4096:{b64(16)(rng)}${b64(32)(rng)}:{b64(32)(rng)}"), ("{}",)),
    phrased("base64 of a login", _login, ('{"auths":{"r.example":{"auth":"{}"}}}',), only="bare,sentence,json,json in json,yaml,python,syslog"),
    phrased("base64 of a setting", lambda rng: base64.b64encode(f"DB_PASSWORD={password(rng)}\nDB_HOST=db\n".encode()).decode(), ("{}", "decoded {} ok"), claimed=True),
    phrased("password in a sentence", drawn(ALNUM, 10, 16), ("the password is {}", "using password {} for app", "your password: {}"), ("new passphrase is {}", "password was set to {}"), claimed=False),
    phrased("e-mail", _email, ("{}", "user {}", "<{}>")),
    phrased("card in groups", lambda rng: _card(rng, rng.choice(" -")), ("card {} declined", "{}"), ("paid by {}",), only=",".join(sorted(_NOT_ENCODED))),
    phrased("card in a sentence", lambda rng: _card(rng, ""), ("card {} declined", "visa {} was charged"), ("payment by {} refused",), only="bare,sentence,json,json in json,coloured,syslog,python"),
    phrased("IBAN", _iban, ("{}", "IBAN {}", "transfer to {}"), ("account {} closed",)),
    phrased("IBAN in groups", lambda rng: _iban(rng, " "), ("IBAN {}", "{}"), ("to {} from x",), only=",".join(sorted(_NOT_ENCODED))),
    phrased("IBAN with letters", _iban_of_letters, ("{}",)),
    phrased("phone, international", _international_phone, ("call {}", "SMS to {}", "{}"), ("from {} at noon", "tel:{}"), only=",".join(sorted(_NOT_ENCODED))),
    phrased("phone, named", _national_phone, ("phone: {}", "Tel. {}", "mobile {}"), ("phone number {}", "Telefon: {}", "fax: {}"), only=",".join(sorted(_NOT_ENCODED))),
    phrased("phone with no name", _national_phone, ("reached {} today",), claimed=False, only="bare,json,syslog"),
    phrased("WiFi QR code", drawn(ALNUM, 10, 20), ("WIFI:S:office;T:WPA;P:{};;",), ("WIFI:T:WPA;S:x;P:{};H:false;;",)),
)  # fmt: skip


# Command lines.


def command(
    name: str, *lines: str, secret: Made = password, aside: Sequence[str] = (), claimed: bool = True, only: str = ""
) -> Kind:
    def made(rng: random.Random, is_aside: bool) -> Item:
        value = secret(rng)
        line = rng.choice(list(aside) if is_aside and aside else list(lines))
        return Command(tuple(each.replace("{}", value) for each in line.split()), value)

    return Kind(name, made, claimed, frozenset(only.split(",")) if only else frozenset())


_SHELL = "bare,prompt,trace,history,json,json in json,yaml,coloured,cron"
_NO_DASH = drawn(ALNUM, 8, 20)

COMMANDS = (
    command("mysql -p", "mysql -u app -p{} shop", "mysqldump --single-transaction -uapp -p{} shop", aside=("mysqladmin -uroot -p{} status", "mariadb -h db -u app -p{}")),
    command("mysql --password", "mysql -u app --password={} shop", aside=("mysqldump -u app --password={} --all-databases",)),
    command("sshpass", "sshpass -p {} ssh app@10.0.0.3", aside=("sshpass -p {} scp x app@h:/tmp",)),
    command("redis-cli", "redis-cli -h cache -a {} ping", aside=("redis-cli --pass {} info", "valkey-cli -a {} --scan")),
    command("curl -u", "curl -s -u app:{} https://api.example/v1", "curl --user app:{} https://api.example/", aside=("curl -uapp:{} https://x.example", "curl -fsSL -u bob:{} -o /tmp/x https://x.example/f")),
    command("wget", "wget --user app --password {} https://x.example/f", "wget --http-password={} https://x.example/f", aside=("wget --ftp-password={} ftp://x",)),
    command("ldapsearch", "ldapsearch -x -D cn=admin,dc=x -w {} -b dc=x", aside=("ldapmodify -D cn=admin -w {} -f x.ldif",)),
    command("smbclient", "smbclient //h/share -U app%{}", aside=("rpcclient -U bob%{} 10.0.0.3",), secret=_NO_DASH),
    command("mongosh", "mongosh -u app -p {} shop", "mongodump --host db -u app -p {}", aside=("mongorestore -u app -p {} /dump",)),
    command("psql", "psql host=db user=app password={}", "env PGPASSWORD={} psql -h db", aside=("PGPASSWORD={} pg_dump shop",)),
    command("java -D", "java -Ddb.password={} -jar app.jar", aside=("java -Djavax.net.ssl.trustStorePassword={} -jar x.jar",)),
    command("password option", "app --password {} --verbose", "app --db-password={}", "app --token {}", aside=("svc --admin-password {}", "svc --api-key {}", "svc -password {}")),
    command("sqlcmd", "sqlcmd -S db -U sa -P {} -Q x", secret=_NO_DASH),
    command("zip and 7z", "7z x -p{} x.7z", "unzip -P {} x.zip", aside=("zip -P {} x.zip y",), secret=_NO_DASH),
    command("docker login", "docker login -u bob -p {} r.example", aside=("podman login -u bob -p {} r.example", "helm registry login r.example -u bob -p {}")),
    command("htpasswd", "htpasswd -b /etc/nginx/x bob {}", aside=("htpasswd -nb bob {}",), secret=_NO_DASH),
    command("openssl", "openssl rsa -in k.pem -passin pass:{} -out x", aside=("openssl enc -aes-256-cbc -pass pass:{} -in x",), secret=_NO_DASH),
    command("snmp", "snmpwalk -v2c -c {} 10.0.0.3", aside=("snmpget -v3 -u u -A {} 10.0.0.3 x",), secret=_NO_DASH),
    command("rabbitmqctl", "rabbitmqctl add_user app {}", aside=("rabbitmqctl change_password app {}",), secret=_NO_DASH),
    command("plink", "plink -ssh -pw {} app@10.0.0.3", aside=("pscp -pw {} x h:y",), secret=_NO_DASH),
    command("sqlplus", "sqlplus app/{}@db:1521/XE", aside=("expdp app/{}@db full=y",), secret=_NO_DASH),
    command("vault login", "vault login {}", secret=prefixed("hvs.", ALNUM, 90)),
    command("nmcli", "nmcli dev wifi connect office password {}", secret=_NO_DASH),
    command("freerdp", "xfreerdp /v:10.0.0.3 /u:bob /p:{}", secret=_NO_DASH),
    command("lftp", "lftp -u bob,{} ftp.example", secret=_NO_DASH),
    command("kubectl create secret", "kubectl create secret generic db --from-literal=password={}", aside=("kubectl create secret generic x --from-literal=k={}",), secret=_NO_DASH),
    command("aws configure", "aws configure set aws_secret_access_key {}", secret=drawn(ALNUM, 40)),
    command("chpasswd", "echo bob:{} | chpasswd", aside=("echo {} | sudo -S ls", "echo {} | passwd --stdin bob"), secret=_NO_DASH, only=_SHELL),
    command("ansible", "ansible-playbook site.yml -e db_password={}", aside=("ansible all -e ansible_become_pass={} -m ping",)),
    command("unknown program", "frobnicate -x {} run", claimed=False, only="bare,ps,json", secret=drawn(ALNUM, 16)),
)  # fmt: skip


# Lines of files.


def lines(
    name: str, secret: Made, *texts: str, aside: Sequence[str] = (), claimed: bool = True, only: str = ""
) -> Kind:
    def made(rng: random.Random, is_aside: bool) -> Item:
        value = secret(rng)
        return Lines(rng.choice(list(aside) if is_aside and aside else list(texts)).replace("{}", value), value)

    return Kind(name, made, claimed, frozenset(only.split(",")) if only else frozenset())


def _pem(rng: random.Random) -> str:
    return "\n".join(
        [
            "MIIE" + drawn(ALNUM + "+/", 60)(rng),
            *(drawn(ALNUM + "+/", 64)(rng) for _ in range(3)),
            drawn(ALNUM + "+/", 22)(rng) + "==",
        ]
    )


def _pem_line(rng: random.Random) -> str:
    return drawn(ALNUM, 1)(rng) + drawn(ALNUM + "+/", 63)(rng)


_PRIVATE = tuple(
    f"-----BEGIN {each}PRIVATE KEY-----\n{{}}\n-----END {each}PRIVATE KEY-----"
    for each in ("", "RSA ", "EC ", "OPENSSH ")
)

FILES = (
    lines("private key", _pem, *_PRIVATE, aside=(_PRIVATE[0].replace("PRIVATE", "ENCRYPTED PRIVATE"), _PRIVATE[1].partition("\n-----END")[0])),
    lines("line of a private key", _pem_line, "{}", only="bare,diff,json,json in json,yaml,coloured,after others"),
    lines(".pgpass", _NO_DASH, "db.example.com:5432:shop:app:{}", "*:*:*:app:{}", aside=("10.0.0.3:5432:*:postgres:{}",)),
    lines("/etc/shadow", drawn(ALNUM + "./", 86), "bob:$6$abcdefgh${}:19000:0:99999:7:::", aside=("root:$y$j9T$abc${}:19500:0:99999:7:::",)),
    lines(".netrc", password, "machine git.example login bob password {}", aside=("machine x\n  login bob\n  password {}",)),
    lines(".npmrc", prefixed("", URL64, 36), "//registry.example/:_authToken={}", aside=("//r.example/:_password={}",)),
    lines("redis.conf", password, "port 6379\nrequirepass {}", aside=("masterauth {}",)),
    lines("slapd.conf", password, "rootdn cn=admin,dc=x\nrootpw {}", aside=("bindpw {}",)),
    lines("wpa_supplicant.conf", password, 'network={\n  ssid="office"\n  psk="{}"\n}'),
    lines("wireguard", b64(32), "[Interface]\nPrivateKey = {}\nAddress = 10.0.0.1/24", aside=("[Peer]\nPresharedKey = {}",)),
    lines("router", _NO_DASH, "enable secret 5 {}", "username bob password 7 {}", aside=("snmp-server community {} RO",), claimed=False),
    lines("my.cnf", password, "[client]\nuser=app\npassword={}", aside=('[client]\npassword = "{}"',)),
    lines("aws credentials", drawn(ALNUM + "/+", 40), "[default]\naws_access_key_id = x\naws_secret_access_key = {}"),
    lines("list of recovery codes", lambda rng: f"{drawn(LOWER + DIGITS, 5)(rng)}-{drawn(LOWER + DIGITS, 5)(rng)}", "recovery_codes:\n- aaaaa-bbbbb\n- {}", aside=("backup_codes:\n  - {}",)),
    lines("password below its key", password, "password:\n  {}", "password: |\n  {}", aside=("api_token: >\n  {}",)),
    lines("name and value", password, "- name: DB_PASSWORD\n  value: {}", aside=("- name: API_TOKEN\n  value: {}",)),
    lines("arguments, one a line", password, "args:\n- --password\n- {}", aside=("command:\n  - --token\n  - {}",)),
    lines("k8s Secret", lambda rng: base64.b64encode(password(rng).encode() + b"12345678").decode(), "kind: Secret\ndata:\n  password: {}", aside=("data:\n  api-token: {}",)),
    lines("XML", password, '<entry key="db.password">{}</entry>', "<password>{}</password>", aside=('<property name="password" value="{}"/>',)),
    lines("table of hashes", drawn(HEX, 32), "Administrator:500:aad3b435b51404eeaad3b435b51404ee:{}:::", claimed=False),
)  # fmt: skip

KINDS = (*KEYED, *VENDORS, *FORMS, *COMMANDS, *FILES)
