"""Keys that vendors mark by a prefix, and URLs whose path or query is the secret."""

from __future__ import annotations

from firstresponder.safety.redaction.rule import Rule, any_of

_HEX = "[0-9a-fA-F]"
_ANY = "[A-Za-z0-9]"
_URL = "[A-Za-z0-9_-]"
_BASE64 = "[A-Za-z0-9+/=_-]"

# By vendor, each key as its documentation describes it.
KEYS = {
    "AWS": (r"(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ABIA|ACCA)[A-Z0-9]{16}\b", rf"ABSK{_BASE64}{{60,}}"),
    "Google": (rf"AIza{_URL}{{35}}", rf"ya29\.{_URL}{{20,}}", rf"GOCSPX-{_URL}{{20,}}", rf"1//0{_URL}{{20,}}"),
    "Azure": (rf"{_ANY}{{3}}8Q~[A-Za-z0-9_.~-]{{31,34}}", r"[A-Za-z0-9+/]{86}=="),
    "Alibaba": (rf"LTAI{_ANY}{{12,20}}\b",),
    "Tencent": (rf"AKID{_ANY}{{32}}\b",),
    "Yandex": (rf"y[0-3]_{_URL}{{50,}}", rf"AQVN{_URL}{{35,}}"),
    "DigitalOcean": (rf"do[opr]_v1_{_HEX}{{64}}",),
    "Cloudflare": (rf"v1\.0-{_HEX}{{24}}-{_HEX}{{100,}}",),
    "Heroku": (rf"HRKU-{_URL}{{30,}}",),
    "Netlify": (rf"nf[pcoub]_{_ANY}{{30,}}",),
    "Fly.io": (rf"fo1_{_URL}{{40,}}", rf"fm[12][ar]?_{_BASE64}{{40,}}"),
    "Supabase": (rf"sb[psa]_{_URL}{{30,}}", rf"sb_secret_{_URL}{{20,}}"),
    "PlanetScale": (r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{20,}",),
    "Neon": (rf"napi_{_ANY}{{40,}}",),
    "GitHub": (rf"gh[pousr]_{_ANY}{{30,}}", r"github_pat_[A-Za-z0-9_]{30,}"),
    "GitLab": (
        r"gl(?:pat|rt|rtr|dt|ft|cbt|ptt|soat|imt|agent|oas|ffct|wt)-[A-Za-z0-9_.-]{20,}",
        rf"GR1348941{_URL}{{20,}}",
    ),
    "Atlassian": (r"AT[AC]TT3[A-Za-z0-9_=-]{20,}", rf"ATBB{_ANY}{{24,}}", r"BBDC-[A-Za-z0-9+/]{40,}"),
    "Slack": (r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}", r"xapp-[0-9]-[A-Za-z0-9-]{10,}"),
    "Discord": (rf"[MNO]{_URL}{{23,27}}\.{_URL}{{6}}\.{_URL}{{27,}}",),
    "Telegram": (rf"[0-9]{{8,10}}:AA{_URL}{{32,}}",),
    "Stripe": (rf"[sr]k_(?:live|test)_{_ANY}{{16,}}", r"whsec_[A-Za-z0-9+/=]{16,}"),
    "Square": (rf"sq0[a-z]{{3}}-{_URL}{{20,}}",),
    "Plaid": (rf"access-(?:sandbox|production|development)-{_HEX}{{8}}-[0-9a-f-]{{27}}",),
    "Razorpay": (rf"rzp_(?:live|test)_{_ANY}{{14,}}",),
    "Braintree": (rf"access_token\$(?:production|sandbox)\$[a-z0-9]{{16}}\${_HEX}{{32}}",),
    "Shopify": (rf"shp(?:at|ca|pa|ss|tka)_{_HEX}{{32}}",),
    "npm": (rf"npm_{_ANY}{{36}}",),
    "PyPI": (
        rf"pypi-AgE{_URL}{{16,}}",
        rf"pypi-{_URL}{{60,}}",
    ),
    "RubyGems": (rf"rubygems_{_HEX}{{48}}",),
    "crates.io": (rf"cio{_ANY}{{32}}\b",),
    "NuGet": (r"oy2[a-z0-9]{43}\b",),
    "Docker": (rf"dckr_(?:pat|oat)_{_URL}{{20,}}",),
    "JFrog": (rf"AKCp{_ANY}{{60,}}", rf"cmVmdGtu{_ANY}{{50,}}"),
    "SendGrid": (rf"SG\.{_URL}{{16,}}\.{_URL}{{16,}}",),
    "Mailgun": (r"key-[0-9a-f]{32}\b",),
    "Mailchimp": (rf"{_HEX}{{32}}-us[0-9]{{1,2}}\b",),
    "Brevo": (rf"xkeysib-[0-9a-f]{{64}}-{_ANY}{{16}}",),
    "Resend": (rf"re_{_ANY}{{8}}_{_ANY}{{20,}}",),
    "Twilio": (r"SK[0-9a-f]{32}\b",),
    "OpenAI, Anthropic": (rf"sk-(?:[a-z0-9]{{2,10}}-)*{_URL}{{20,}}", rf"sess-{_ANY}{{40}}"),
    "Hugging Face": (rf"hf_{_ANY}{{30,}}", rf"api_org_{_ANY}{{34}}"),
    "Replicate": (rf"r8_{_ANY}{{37,}}",),
    "Groq": (rf"gsk_{_ANY}{{40,}}",),
    "Perplexity": (rf"pplx-{_ANY}{{40,}}",),
    "xAI": (rf"xai-{_ANY}{{60,}}",),
    "Pinecone": (rf"pcsk_{_URL}{{40,}}",),
    "LangSmith": (rf"lsv2_(?:pt|sk)_{_URL}{{40,}}",),
    "ElevenLabs": (r"sk_[0-9a-f]{48}\b",),
    "NVIDIA": (rf"nvapi-{_URL}{{50,}}",),
    "Databricks": (rf"dapi{_HEX}{{32}}(?:-[0-9])?\b",),
    "Vault": (rf"hv[sbr]\.{_URL}{{20,}}", rf"s\.{_ANY}{{24}}\b"),
    "Terraform Cloud": (rf"{_ANY}{{14}}\.atlasv1\.[A-Za-z0-9_=-]{{60,}}",),
    "Pulumi": (rf"pul-{_HEX}{{40}}",),
    "Doppler": (rf"dp\.[a-z]{{2,5}}\.(?:[a-z0-9_-]+\.)?{_ANY}{{40,}}",),
    "1Password": (
        rf"ops_eyJ{_BASE64}{{50,}}",
        r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
    ),
    "Tailscale": (r"tskey-[a-z]+-[A-Za-z0-9-]{16,}",),
    "Grafana": (r"glsa_[A-Za-z0-9_]{32,}", r"glc_[A-Za-z0-9+/=]{32,}"),
    "New Relic": (rf"NR(?:AK|II|JS|RA)-{_URL}{{20,}}",),
    "Sentry": (rf"sntry[su]_{_BASE64}{{40,}}",),
    "Dynatrace": (r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}",),
    "Postman": (rf"PMAK-{_HEX}{{24}}-{_HEX}{{34}}",),
    "Linear": (rf"lin_(?:api|oauth)_{_ANY}{{30,}}",),
    "Notion": (rf"ntn_{_ANY}{{40,}}", rf"secret_{_ANY}{{43}}\b"),
    "Airtable": (rf"pat{_ANY}{{14}}\.{_HEX}{{64}}",),
    "Figma": (rf"fig[dou]_{_URL}{{36,}}",),
    "SonarQube": (rf"sq[upa]_{_HEX}{{40}}",),
    "Sourcegraph": (rf"sgp_(?:{_ANY}{{16}}_|local_)?{_HEX}{{40}}",),
    "Buildkite": (rf"bkua_{_HEX}{{40}}",),
    "CircleCI": (rf"CCIPAT_{_ANY}{{20,}}_{_HEX}{{40}}",),
    "JetBrains": (r"perm:[A-Za-z0-9+/=]+\.[A-Za-z0-9+/=]+\.[A-Za-z0-9+/=]{20,}",),
    "Facebook": (rf"EAA{_ANY}{{83,}}",),
    "age": (r"AGE-SECRET-KEY-1[0-9A-Z]{50,}",),
    "wallets": (rf"xprv{_ANY}{{100,}}", r"nsec1[a-z0-9]{58}\b"),
    # Whoever else calls a key by what it is: acme_live_…
    "others": (rf"[a-z][a-z0-9]{{1,11}}[_-](?:live|test|prod|pat|key|sk|secret|token|api)[_-]{_ANY}{{20,}}",),
}

_URLS = (
    r"https://hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]+)",
    r"https://(?:[a-z]+\.)?discord(?:app)?\.com/api/(?:v[0-9]+/)?webhooks/([A-Za-z0-9/_-]+)",
    r"https://api\.telegram\.org/(?:file/)?bot([0-9]+:[A-Za-z0-9_-]+)",
    r"\.webhook\.office\.com/webhookb2/([A-Za-z0-9@/_-]+)",
    r"https://hooks\.zapier\.com/hooks/catch/([A-Za-z0-9/]+)",
    r"https://maker\.ifttt\.com/trigger/[^/\s]+/(?:json/)?with/key/([A-Za-z0-9_-]+)",
    r"https://open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/([0-9a-f-]{20,})",
    r"https://events\.pagerduty\.com/integration/([0-9a-f]{32})",
    r"https?://[^\s/]+/hooks/([a-z0-9]{26})\b",
)

RULES = (
    Rule(rf"\b{any_of(*(pattern for patterns in KEYS.values() for pattern in patterns))}"),
    Rule(any_of(*_URLS)),
    # Of signed URLs, and of those that a login comes back by.
    Rule(r"(?i)[?&;\"' ](?:sig|sv_sig)=([A-Za-z0-9%+/=_-]{16,})"),
    Rule(r"(?i)[?&](?:code|key|auth|oauth_verifier|sid|hmac|signature)=([A-Za-z0-9%+/=_.~-]{16,})"),
    Rule(r"(?i)\b(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/=]+)"),
)
