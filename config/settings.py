"""Settings, read from the environment. ``.env.example`` lists every variable.

A variable is read from the process environment, then from ``.env`` next to ``manage.py``, then from
``ATRIUM_HOME/env``, where ``manage.py up`` writes the URLs of its private servers and the keys it created.
"""

import logging
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from whitenoise.compress import Compressor

from .env import env
from .redis_urls import EXAMPLE as SENTINEL_EXAMPLE
from .redis_urls import SENTINEL_SCHEMES, celery_broker

BASE_DIR = Path(__file__).resolve().parent.parent

ATRIUM_HOME = env.load(BASE_DIR)

# --- Required in production -------------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY", default="insecure-for-debug-only" if DEBUG else "")
# A separate key for tokens, so that each key can be replaced alone: a new JWT key ends every session, a new SECRET_KEY
# invalidates signed links and cookies.
JWT_SIGNING_KEY = env("JWT_SIGNING_KEY", default="insecure-for-debug-only-and-at-least-32-bytes" if DEBUG else "")
# Encrypts secrets that the database stores (config/encryption.py). Empty: a key derived from SECRET_KEY.
ENCRYPTION_KEY = env("ENCRYPTION_KEY", default="")
ENCRYPTION_KEY_FALLBACKS = env.list("ENCRYPTION_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
PUBLIC_URL = env("PUBLIC_URL", default="http://localhost:8000" if DEBUG else "").rstrip("/")


def _refuse_unsafe_production() -> None:
    """Raise ImproperlyConfigured listing every setting that would make a public server unsafe."""
    errors = []
    for name, value in (("SECRET_KEY", SECRET_KEY), ("JWT_SIGNING_KEY", JWT_SIGNING_KEY)):
        if len(value) < 32 or re.search(r"change-?me|insecure|^secret", value, re.IGNORECASE):
            errors.append(f"{name} must be a random value of 32 characters or more")
    if ENCRYPTION_KEY and len(ENCRYPTION_KEY) < 32:
        errors.append("ENCRYPTION_KEY must be a random value of 32 characters or more")
    if SECRET_KEY and SECRET_KEY == JWT_SIGNING_KEY:
        errors.append("JWT_SIGNING_KEY must differ from SECRET_KEY")
    if "*" in ALLOWED_HOSTS:
        errors.append("ALLOWED_HOSTS must list the host names of this site, not *")
    if not PUBLIC_URL:
        errors.append("PUBLIC_URL must be set: the links in e-mails start with it")
    if errors:
        raise ImproperlyConfigured(
            "Atrium cannot start: " + "; ".join(errors) + ". See .env.example, or start with bin/up, which creates the "
            "keys."
        )


if not DEBUG:
    _refuse_unsafe_production()
if urlsplit(PUBLIC_URL).scheme not in ("http", "https") or not urlsplit(PUBLIC_URL).netloc:
    raise ImproperlyConfigured(f"PUBLIC_URL must look like https://atrium.example.org, not {PUBLIC_URL!r}.")
HTTPS = PUBLIC_URL.startswith("https://")

# --- Apps: the order in which Django searches templates and commands --------------------------------------------------

# Two processes serve no pages: without those of the admin each of them needs 15 MB less.
_HAS_PAGES = env("ATRIUM_PROCESS", default="") not in ("webhooks", "beat")

INSTALLED_APPS = [
    "config",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "django.contrib.admin" if _HAS_PAGES else "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "django_filters",
    "corsheaders",
    "csp",
    "axes",
    "import_export",
    "django_celery_beat",
    "django_celery_results",
    "django_prometheus",
    "django_structlog",
    "accounts",
    "notes",
    "messaging",
    "contacts",
    "trends",
]

MIDDLEWARE = [
    # For every response: metrics, log line, 503 in an outage, headers.
    "config.http.metrics.MetricsMiddleware",
    "config.http.request_log.RequestMiddleware",
    "config.http.cache_control.CacheControlMiddleware",
    "config.http.error_pages.OutageMiddleware",
    "config.http.https.KeepMethodMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.http.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "config.http.append_slash.CommonMiddleware",
    "config.http.content_length.ContentLengthMiddleware",
    "config.http.api.APIMiddleware",
    # For cookie sessions: cached reads, and API requests with a token, skip these.
    "accounts.middleware.FormRedirectMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.FactorSetupMiddleware",
    "accounts.middleware.AdminTimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.http.dev_mail.context",
                "config.http.shell.context",
                "config.http.landing.registration",
                "config.http.shell.oidc",
            ]
        },
    }
]

# --- Postgres ---------------------------------------------------------------------------------------------------------

DATABASE_URL = env.address(
    "DATABASE_URL", default="postgresql://atrium@127.0.0.1:1/atrium", schemes=("postgresql", "postgres", "pgsql"),
    like="postgresql://user:password@host:5432/database",
)  # fmt: skip
DATABASES = {"default": env.db_url_config(DATABASE_URL)}
DATABASES["default"].update(
    ENGINE="config.db.postgres",
    # A new connection costs more than most queries: keep one per thread and replace it if it is broken.
    CONN_MAX_AGE=None,
    CONN_HEALTH_CHECKS=True,
)
DATABASES["default"].setdefault("OPTIONS", {}).update(
    connect_timeout=3,
    keepalives_idle=30,
    application_name=env("ATRIUM_PROCESS", default="atrium"),
)
# Commands such as migrate and backup have no limits.
_KINDS = {"web": "WEB", "beat": "WEB", "worker": "WORKER", "webhooks": "WORKER"}
_DATABASE_KIND = _KINDS.get(env("ATRIUM_PROCESS", default=""), "")
_TIMEOUTS = {  # seconds
    "WEB": {
        "statement_timeout": env.number("WEB_STATEMENT_TIMEOUT", default=15),
        "lock_timeout": env.number("WEB_LOCK_TIMEOUT", default=5),
        "idle_in_transaction_session_timeout": env.number("WEB_IDLE_TRANSACTION_TIMEOUT", default=30),
    },
    "WORKER": {
        "statement_timeout": env.number("WORKER_STATEMENT_TIMEOUT", default=600),
        "lock_timeout": env.number("WORKER_LOCK_TIMEOUT", default=60),
        "idle_in_transaction_session_timeout": env.number("WORKER_IDLE_TRANSACTION_TIMEOUT", default=60),
    },
}
DATABASES["default"]["TIMEOUTS"] = {name: seconds * 1000 for name, seconds in _TIMEOUTS.get(_DATABASE_KIND, {}).items()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: one database for cache, presence and events, another for the broker ---------------------------------------

REDIS_URL = env.address(
    "REDIS_URL",
    default="redis://127.0.0.1:1/0",
    schemes=("redis", "rediss", "unix", *SENTINEL_SCHEMES),
    like=f"redis://:password@host:6379/0 or {SENTINEL_EXAMPLE}",
)
# Redis must not evict keys. These bound the bytes of cached responses and of events, which could fill it.
CACHE_MAX_BYTES = env.number("CACHE_MAX_BYTES", default=64_000_000)
EVENTS_MAX_BYTES = env.number("EVENTS_MAX_BYTES", default=64_000_000)
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "atrium",
        "OPTIONS": {
            "CONNECTION_FACTORY": "config.cache.redis.ConnectionFactory",
            "IGNORE_EXCEPTIONS": True,
            "LOG_IGNORED_EXCEPTIONS": True,
        },
    }
}

# --- Celery -----------------------------------------------------------------------------------------------------------
# The work itself is in Postgres (config/jobs), so these settings affect the speed of recovery, not the safety of data.

CELERY_BROKER_URL = env.address(
    "CELERY_BROKER_URL", default="redis://127.0.0.1:1/1",
    like=f"redis://host:6379/1, {SENTINEL_EXAMPLE} or amqp://user:password@host:5672//",
    schemes=("redis", "rediss", "redis+socket", *SENTINEL_SCHEMES, "amqp", "amqps", "pyamqp"),
)  # fmt: skip
# Celery reads CELERY_BROKER_URL from the environment again, so the address that it understands needs other names.
CELERY_BROKER_READ_URL, _BROKER_OPTIONS = celery_broker(CELERY_BROKER_URL)
CELERY_BROKER_WRITE_URL = CELERY_BROKER_READ_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Without these, a publish blocks for more than 25 s on a hung Redis, and for 6 s on one that refuses connections.
CELERY_BROKER_CONNECTION_TIMEOUT = 3
CELERY_BROKER_TRANSPORT_OPTIONS = {"max_retries": 0, **_BROKER_OPTIONS} | (
    {"socket_timeout": 5, "socket_connect_timeout": 3, "health_check_interval": 10, "visibility_timeout": 3600}
    if CELERY_BROKER_READ_URL.startswith(("redis", "sentinel"))
    else {"connect_timeout": 3, "read_timeout": 5, "write_timeout": 5}
)
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "accounts.tasks.send_*": {"queue": "mail"},
    "config.tasks.send_mail": {"queue": "mail"},
    "config.tasks.deliver_webhooks": {"queue": "webhooks"},
    "notes.tasks.send_*": {"queue": "mail"},
    "notes.tasks.import_*": {"queue": "imports"},
    "contacts.tasks.import_*": {"queue": "imports"},
    "trends.tasks.import_*": {"queue": "imports"},
}
CELERY_TASK_SOFT_TIME_LIMIT = 900
CELERY_TASK_TIME_LIMIT = 960
CELERY_TASK_TRACK_STARTED = True
CELERY_WORKER_CONCURRENCY = env.number("WORKER_CONCURRENCY", default=2, least=1)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000  # KiB; a larger child process is replaced after its task
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_RESULT_EXPIRES = timedelta(days=7)
CELERY_BEAT_SCHEDULER = "config.jobs.beat.Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SYNC_EVERY = 10  # ticks between saves of the last run times, which `manage.py doctor` reads
CELERY_TIMEZONE = "UTC"
DJANGO_CELERY_BEAT_TZ_AWARE = True

# Name: (task, seconds). Stored as rows after each migrate; administrators may change or pause them
# (config/jobs/schedule.py). Most are sweeps that find rows whose message was lost, so the interval is short.
TRENDS_INTERVAL = env.number("TRENDS_INTERVAL", default=120, least=1)
PERIODIC_TASKS: dict[str, tuple[str, int]] = {
    "mail: send queued e-mails": ("config.tasks.send_mail", 5),
    "webhooks: send deliveries": ("config.tasks.deliver_webhooks", 3),
    "accounts: e-mail account links": ("accounts.tasks.send_links", 5),
    "accounts: e-mail invitations": ("accounts.tasks.send_invitations", 5),
    "messages: deliver broadcasts": ("messaging.tasks.fan_out_broadcasts", 5),
    "messages: record deliveries": ("messaging.tasks.record_deliveries", 5),
    "messages: delete expired presence": ("messaging.tasks.delete_expired_presence", 600),
    "accounts: delete expired rows": ("accounts.tasks.delete_expired", 3600),
    "backups: make the scheduled backup": ("config.tasks.make_backups", 60),
    "events: send events that are not in Redis yet": ("config.tasks.send_events", 5),
    "trends: scan the watched folder": ("trends.tasks.import_inbox", TRENDS_INTERVAL),
    "trends: run queued imports": ("trends.tasks.import_waiting", 10),
    "contacts: run queued imports": ("contacts.tasks.import_uploads", 3),
    "contacts: undo large uploads": ("contacts.tasks.undo_uploads", 5),
    "contacts: release waiting rows": ("contacts.tasks.release_due", 2),
    "contacts: delete expired gates": ("contacts.tasks.delete_expired_gates", 3600),
    "notes: e-mail due reminders": ("notes.tasks.send_reminders", 10),
    "notes: run queued imports": ("notes.tasks.import_notes", 15),
    "notes: empty old trash": ("notes.tasks.purge_trash", 600),
    "files: delete discarded files": ("config.tasks.discard_files", 60),
    "dashboard: record the figures": ("config.tasks.record_figures", 300),
    "service: delete expired rows": ("config.tasks.delete_expired_rows", 3600),
}

# Days for which rows are kept (docs/operations.md, "What grows"). Settings with least=0 keep rows for ever with 0.
AUDIT_DAYS = env.number("AUDIT_DAYS", default=365, least=1)
SIGN_IN_DAYS = env.number("SIGN_IN_DAYS", default=90, least=1)
MAIL_DAYS = env.number("MAIL_DAYS", default=30, least=1)
WEBHOOK_DAYS = env.number("WEBHOOK_DAYS", default=30, least=1)
IMPORT_DAYS = env.number("IMPORT_DAYS", default=0)
MESSAGE_DAYS = env.number("MESSAGE_DAYS", default=0)
TRENDS_HISTORY_DAYS = env.number("TRENDS_HISTORY_DAYS", default=0)
# Each deletes one batch of old rows and returns how many; config.tasks.delete_expired_rows calls them every hour. What
# may take longest is last.
RETENTION = (
    "config.api.idempotency.delete_expired_keys",
    "config.mail.delete_expired",
    "config.webhooks.services.delete_expired",
    "config.audit.delete_expired",
    "config.audit.delete_expired_admin_log",
    "config.ops.scheduled_backups.delete_expired",
    "notes.services.imports.delete_expired_imports",
    "contacts.services.retention.delete_expired_uploads",
    "trends.services.retention.delete_expired_row_errors",
    "trends.services.retention.delete_expired_changes",
    "messaging.services.retention.delete_finished_batches",
    "messaging.services.retention.delete_expired_messages",
)

# --- Accounts, tokens, passwords --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
SILENCED_SYSTEM_CHECKS = [
    "auth.W004",  # usernames are unique without regard to case, by accounts.User.username_lower
    "security.W005",  # the operator decides on HSTS for subdomains and in preload lists
    "security.W021",
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "accounts.backends.EmailOrUsernameBackend",
]
# OWASP's Argon2id parameters (19 MiB, t=2, p=1): with Django's defaults, many logins at once would starve the API.
PASSWORD_HASHERS = [
    "accounts.hashers.Argon2idHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "accounts.password_words.ContextWordsValidator"},
]
# Names of your organisation, products or projects, which do not count for the length of a password.
PASSWORD_WORDS = env.list("PASSWORD_WORDS", default=[])
# Who may join: everybody, only people with an invitation, or nobody; and from which e-mail domains.
REGISTRATION = env.choice("REGISTRATION", default="open", choices=("open", "invite", "closed"))
REGISTRATION_DOMAINS = [
    domain.strip().lower().removeprefix("@") for domain in env.list("REGISTRATION_DOMAINS", default=[])
]
# Who must have a second factor: nobody, staff, or all.
MFA_REQUIRED = env.choice("MFA_REQUIRED", default="", choices=("", "staff", "all"))
# One OpenID Connect provider; off without an issuer.
OIDC_ISSUER = env.address("OIDC_ISSUER", default="", schemes=("https", "http"), like="https://login.example.org")
OIDC_CLIENT_ID = env("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = env("OIDC_CLIENT_SECRET", default="")
OIDC_LABEL = env("OIDC_LABEL", default="OpenID Connect")
OIDC_SIGNUP = env.bool("OIDC_SIGNUP", default=False)
if OIDC_ISSUER and not OIDC_CLIENT_ID:
    raise ImproperlyConfigured("OIDC_ISSUER needs OIDC_CLIENT_ID, the ID of Atrium at the provider.")
if urlsplit(OIDC_ISSUER).scheme == "http" and urlsplit(OIDC_ISSUER).hostname not in ("localhost", "127.0.0.1", "::1"):
    raise ImproperlyConfigured("OIDC_ISSUER must begin with https://, because what it says decides who signs in.")
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "ISSUER": "atrium",
    "UPDATE_LAST_LOGIN": False,
    "LEEWAY": 10,  # seconds by which the clocks of two web servers may differ
}
# Axes protects only the login form of the admin; the API has its own throttles.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=5)
AXES_LOCKOUT_PARAMETERS = [["ip_address", "username"]]
AXES_ONLY_ADMIN_SITE = True
AXES_ENABLE_ACCESS_FAILURE_LOG = False
AXES_DISABLE_ACCESS_LOG = True  # accounts.UserSession records every sign-in, including the admin's
AXES_VERBOSE = False
AXES_LOCKOUT_CALLABLE = "accounts.pages.sign_in.too_many_attempts"

# --- Webhooks ---------------------------------------------------------------------------------------------------------

WEBHOOKS_ALLOW_HTTP = env.bool("WEBHOOKS_ALLOW_HTTP", default=False)
WEBHOOKS_ALLOWED_NETWORKS = env.networks("WEBHOOKS_ALLOWED_NETWORKS")
WEBHOOK_CONCURRENCY = env.number("WEBHOOK_CONCURRENCY", default=64, least=2)

# --- The API ----------------------------------------------------------------------------------------------------------

# The front process is one more proxy; the web process sets the variable (config/ops/processes.py).
BEHIND_FRONT = env.bool("ATRIUM_BEHIND_FRONT", default=False)
TRUSTED_PROXIES = env.number("TRUSTED_PROXIES", default=0) + BEHIND_FRONT
AXES_CLIENT_IP_CALLABLE = "config.client_ip.client_place"
AXES_USERNAME_CALLABLE = "accounts.throttles.axes_username"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.SessionTokenAuthentication",
        "accounts.authentication.CookieAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["config.api.json.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["config.api.json.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.api.json.LenientNegotiation",
    "DEFAULT_THROTTLE_CLASSES": ["config.api.throttles.AnonThrottle", "config.api.throttles.UserThrottle"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "config.api.pagination.FeedPagination",
    "DEFAULT_SCHEMA_CLASS": "config.api.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "NUM_PROXIES": TRUSTED_PROXIES,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
# Finds the session of a request with a token before its view runs (config/http/api.py).
TOKEN_AUTHENTICATION = "accounts.authentication.SessionTokenAuthentication"  # noqa: S105
# Bytes of JSON after which a cursor page ends, whatever its number of rows.
PAGE_MAX_BYTES = env.number("PAGE_MAX_BYTES", default=5_000_000, least=1)
THROTTLE_ANON = env.rate("THROTTLE_ANON", default="300/min")
THROTTLE_USER = env.rate("THROTTLE_USER", default="1200/min")
THROTTLE_LOGIN = env.rate("THROTTLE_LOGIN", default="20/min")
THROTTLE_REGISTER = env.rate("THROTTLE_REGISTER", default="20/hour")
THROTTLE_MAIL = env.rate("THROTTLE_MAIL", default="10/hour")
THROTTLE_SEND = env.rate("THROTTLE_SEND", default="120/min")
THROTTLE_UPLOAD = env.rate("THROTTLE_UPLOAD", default="60/hour")
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "config.api.errors.ExceptionHandler",
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Atrium",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": "Accounts, notes, messages, contacts and trends behind one REST API.\n\nTo try it, register, open "
    "the link in the e-mail, and press **Sign in and use the token** at the top of Swagger. You can also press "
    "**Authorize** there and paste an access token, or a personal access token that you have created on your account "
    "page.",
    "CONTACT": {"name": "The operator of this site", "url": PUBLIC_URL},
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "SERVERS": [{"url": "/", "description": "This site."}],
    "TAGS": [
        {
            "name": "auth",
            "description": "Registration, sign-in, sessions, passwords, profile, and deletion of accounts.",
        },
        {"name": "notes", "description": "Notes and checklists, sharing, reminders, and Google Keep archives."},
        {"name": "labels", "description": "Your labels for notes."},
        {"name": "messages", "description": "Messages to users and broadcasts, with receipts."},
        {"name": "conversations", "description": "The latest message of each conversation."},
        {"name": "presence", "description": "Who is online."},
        {"name": "events", "description": "Live events."},
        {"name": "people", "description": "Users by their usercode."},
        {"name": "blocks", "description": "Users that you block."},
        {"name": "contacts", "description": "Sheets of contacts: uploads, their rows, and the stored contacts."},
        {"name": "trends", "description": "Megatrends: public lists and charts, and imports for staff."},
        {"name": "webhooks", "description": "Signed requests to your own server when something of yours changes."},
    ],
    "SORT_OPERATIONS": False,
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.api.openapi.postprocess",
        "config.api.code_samples.add_code_samples",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "displayRequestDuration": True,
        "filter": True,
        # The call that was sent is shown for curl and for the typed client (static/atrium/swagger-client.js).
        "requestSnippetsEnabled": True,
        "requestSnippets": {
            "generators": {
                "curl_bash": {"title": "curl", "syntax": "bash"},
                "atrium": {"title": "@atrium/client", "syntax": "javascript"},
            },
        },
    },
    "ENUM_NAME_OVERRIDES": {
        "BulkAction": "notes.serializers.BulkChangeSerializer.ACTIONS",
        "BusyKey": ["phone", "email"],
        "CollaboratorRole": ["editor", "viewer"],
        "DeliveryKind": ["message", "note", "upload", "trends", "ping"],
        "DeliveryStatus": "config.webhooks.models.WebhookDelivery.Status",
        "ChangeKind": "trends.models.Change.Kind",
        "DryRunOutcome": ["accepted", "deferred", "rejected"],
        "ErrorType": ["validation_error", "client_error", "server_error"],
        "ImpactStrength": "trends.models.Impact",
        "ImportMode": "trends.models.ImportRun.Mode",
        "ImportOrigin": "trends.models.ImportRun.Origin",
        "ImportStatus": ["queued", "processing", "completed", "completed_with_errors", "failed"],
        "NoteRole": "notes.models.Role",
        "Scope": "config.api.scopes.SCOPE_NAMES",
        "SecondStepMethod": ["totp", "passkey", "recovery_code"],
        "Steepl": "trends.models.Steepl",
        "UploadStatus": "contacts.models.UploadStatus",
        "TechnologyReadinessLevel": "trends.models.Readiness",
        "TokenType": ["access", "refresh"],
        "WebhookKind": "config.webhooks.models.Kind",
    },
}
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/(api|schema)/"
CORS_EXPOSE_HEADERS = ["ETag", "Idempotent-Replayed", "Retry-After", "X-Request-ID"]
CORS_ALLOW_HEADERS = [
    "accept", "authorization", "content-type", "x-csrftoken", "x-request-id", "x-requested-with",
    "if-match", "if-none-match", "idempotency-key", "last-event-id", "cache-control",
]  # fmt: skip

# --- Mail: SMTP if EMAIL_URL is set, else files in ATRIUM_HOME/mail with their links in the log -----------------------

DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="Atrium <atrium@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_TIMEOUT = 10
MAIL_DIR = ATRIUM_HOME / "mail"
EMAIL_URL = env.address(
    "EMAIL_URL", default="", schemes=tuple(env.EMAIL_SCHEMES), like="smtp+tls://user:password@host:587"
)
if EMAIL_URL:
    vars().update(env.email_url_config(EMAIL_URL))
else:
    EMAIL_BACKEND = "config.mail.FileBackend"
# bin/dev sets the variable if it runs private servers: /dev/mail/ shows e-mails to everybody.
DEV_MAIL = DEBUG and not EMAIL_URL and env.bool("DEV_MAIL", default=False)

# --- Files: S3 if AWS_STORAGE_BUCKET_NAME is set, else ATRIUM_HOME/files ----------------------------------------------

AWS_STORAGE_BUCKET_NAME = env("AWS_STORAGE_BUCKET_NAME", default="")
BACKUP_BUCKET = env("BACKUP_BUCKET", default="")
SIGNED_URL_SECONDS = 300
FILES_DIR = ATRIUM_HOME / "files"
if AWS_STORAGE_BUCKET_NAME or BACKUP_BUCKET:
    from botocore.config import Config as _BotoConfig

    AWS_ACCESS_KEY_ID = env("AWS_ACCESS_KEY_ID", default=None)
    AWS_SECRET_ACCESS_KEY = env("AWS_SECRET_ACCESS_KEY", default=None)
    AWS_S3_ENDPOINT_URL = env("AWS_S3_ENDPOINT_URL", default="") or None
    AWS_S3_REGION_NAME = env("AWS_S3_REGION_NAME", default="") or None
    AWS_S3_SIGNATURE_VERSION = "s3v4"
    AWS_DEFAULT_ACL = None  # the bucket's policy keeps files private
    AWS_QUERYSTRING_EXPIRE = SIGNED_URL_SECONDS
    AWS_S3_FILE_OVERWRITE = False
    AWS_S3_CLIENT_CONFIG = _BotoConfig(
        connect_timeout=3, read_timeout=10, retries={"max_attempts": 2}, signature_version="s3v4",
        s3={"addressing_style": "path" if AWS_S3_ENDPOINT_URL else "auto"},
    )  # fmt: skip

# --- Scheduled backups ------------------------------------------------------------------------------------------------

BACKUP_SCHEDULE = env.cron("BACKUP_SCHEDULE")
BACKUP_KEEP = env.number("BACKUP_KEEP", default=7, least=1)
BACKUP_FOLDER = Path(env("BACKUP_FOLDER", default=str(ATRIUM_HOME / "backups")))
BACKUP_RECIPIENTS = env.list("BACKUP_RECIPIENTS", default=[])
BACKUP_VERIFY = env.bool("BACKUP_VERIFY", default=True)
# pg_dump needs a session of its own: the direct address if DATABASE_URL is that of PgBouncer.
BACKUP_DATABASE_URL = env("BACKUP_DATABASE_URL", default="")


def _storage(bucket: str, folder: Path, prefix: str = "") -> dict[str, object]:
    """Return the configuration of a bucket, or of a local folder if ``bucket`` is empty."""
    if bucket:
        options = {"bucket_name": bucket, "location": prefix}
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    return {"BACKEND": "config.storage.PrivateFileSystemStorage", "OPTIONS": {"location": folder}}


STORAGES = {
    "default": _storage(AWS_STORAGE_BUCKET_NAME, FILES_DIR),
    "backups": _storage(BACKUP_BUCKET, BACKUP_FOLDER, "atrium-backups"),
    # World-readable: the web server may run as a different user than collectstatic.
    "staticfiles": {
        "BACKEND": "config.http.static_files.StaticFilesStorage",
        "OPTIONS": {"file_permissions_mode": 0o644},
    },
}
STATIC_URL = "/static/"
STATIC_ROOT = Path(env("STATIC_ROOT", default=ATRIUM_HOME / "static"))
# Source maps are half of the bytes and only debuggers load them: compressing them would double the first start's time.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = [*Compressor.SKIP_COMPRESS_EXTENSIONS, "map", "txt", "md"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024  # a JSON body; each upload limits its files itself
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
FILE_UPLOAD_PERMISSIONS = 0o600

# --- Settings of the apps ---------------------------------------------------------------------------------------------

# Limits of the web process (config/http/buffering.py).
WEB_THREADS = env.number("WEB_THREADS", default=8, least=1)
WEB_BODY_SECONDS = env.number("WEB_BODY_SECONDS", default=30.0, least=0.1)
WEB_SEND_SECONDS = env.number("WEB_SEND_SECONDS", default=30.0, least=0.1)
WEB_SPOOL_MB = env.number("WEB_SPOOL_MB", default=2000, least=1)

EVENTS_URL = env.address(
    "EVENTS_URL", default=PUBLIC_URL, schemes=("https", "http"), like="https://atrium.example.org"
).rstrip("/")
NOTES_TRASH_DAYS = env.number("NOTES_TRASH_DAYS", default=7)
NOTES_IMPORT_MAX_MB = env.number("NOTES_IMPORT_MAX_MB", default=200, least=1)
# What one user can own; empty is unlimited.
NOTES_MAX_PER_USER = env.optional_number("NOTES_MAX_PER_USER")
NOTES_MAX_BYTES_PER_USER = env.optional_number("NOTES_MAX_BYTES_PER_USER")
CONTACT_WINDOW = timedelta(seconds=env.number("CONTACT_WINDOW", default=180))
CONTACT_BACKLOG_MAX = timedelta(seconds=env.number("CONTACT_BACKLOG_MAX", default=24 * 3600))
CONTACT_MAX_BYTES = env.number("CONTACT_MAX_BYTES", default=25 * 1024 * 1024, least=1)
DRY_RUN_MAX_ROWS = env.number("DRY_RUN_MAX_ROWS", default=100_000, least=1)
CONTACT_MAX_ROWS = env.number("CONTACT_MAX_ROWS", default=1_000_000, least=1)
# Limits of the process that reads a sheet: unpacked bytes, bytes of address space, seconds of CPU time.
CONTACT_MAX_UNZIPPED = env.number("CONTACT_MAX_UNZIPPED", default=500_000_000, least=1)
CONTACT_READER_MEMORY = env.number("CONTACT_READER_MEMORY", default=1_000_000_000, least=1)
CONTACT_READER_SECONDS = env.number("CONTACT_READER_SECONDS", default=60, least=1)
TRENDS_INBOX = Path(env("TRENDS_INBOX", default=ATRIUM_HOME / "trends" / "inbox"))
TRENDS_BACKUP = Path(env("TRENDS_BACKUP", default=ATRIUM_HOME / "trends" / "backup"))
TRENDS_SETTLE = env.number("TRENDS_SETTLE", default=10.0)
TRENDS_MODE = env.choice("TRENDS_MODE", default="add", choices=("add", "update"))
TRENDS_MAX_UPLOAD = env.number("TRENDS_MAX_UPLOAD", default=50, least=1) * 1024 * 1024

# --- Security headers -------------------------------------------------------------------------------------------------

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("HSTS_PRELOAD", default=False)
SECURE_REDIRECT_EXEMPT = [r"^healthz/$", r"^readyz/$", r"^metrics/$"]  # requested by internal probes over http
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
CSRF_FAILURE_VIEW = "config.http.error_pages.csrf_failure"
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
if EVENTS_URL:
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["connect-src"].append(EVENTS_URL)
if AWS_STORAGE_BUCKET_NAME:
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["img-src"].append(
        AWS_S3_ENDPOINT_URL or f"https://{AWS_STORAGE_BUCKET_NAME}.s3.amazonaws.com"
    )

# --- Language, time, logs, metrics, errors ----------------------------------------------------------------------------

LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = "config.formats"
TIME_ZONE = "UTC"
USE_TZ = True

LOG_FORMAT = env("LOG_FORMAT", default="console")
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_COMMAND_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG  # streamed responses log one line, at their end
LOGGING_CONFIG = "config.logs.configure"
LOGGING = {"format": LOG_FORMAT}

PROMETHEUS_EXPORT_MIGRATIONS = False
TEST_RUNNER = "django.test.runner.DiscoverRunner"

SENTRY_DSN = env("SENTRY_DSN", default="")
if SENTRY_DSN:
    import sentry_sdk

    from .logs import mask_report

    try:
        sentry_sdk.init(
            SENTRY_DSN, send_default_pii=False, max_request_body_size="never",
            before_send=mask_report, before_send_transaction=mask_report,
        )  # fmt: skip
    except sentry_sdk.utils.BadDsn as error:
        raise ImproperlyConfigured(f"SENTRY_DSN is invalid: {error}.") from error

# --- Admin ------------------------------------------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Atrium",
    "SITE_HEADER": "Atrium",
    "SITE_URL": "/",
    "DASHBOARD_CALLBACK": "config.dashboard.views.dashboard",
    "SIDEBAR": {"show_search": True, "navigation": "config.dashboard.sidebar.navigation"},
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_ICON": lambda request: static("atrium/icon.svg"),
    "STYLES": [lambda request: static("atrium/admin.css")],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("atrium/icon.svg")}],
    "COLORS": {
        "primary": {  # the greens of atrium.css, lightest first
            "50": "#f0f8f5", "100": "#dcece7", "200": "#b9dbd1", "300": "#8cc7b7", "400": "#5cab98", "500": "#2f8c79",
            "600": "#0b6a5b", "700": "#07564a", "800": "#0a453c", "900": "#0b3a33", "950": "#04211b",
        }
    },
}  # fmt: skip
IMPORT_EXPORT_USE_TRANSACTIONS = True
