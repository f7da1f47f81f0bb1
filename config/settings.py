"""Every setting of Atrium, read from the environment.

A variable is looked for in the process environment, then in ``.env`` beside ``manage.py``, then in
``ATRIUM_HOME/env``, which ``manage.py up`` writes with the addresses of its private servers and the keys it made.
``.env.example`` names them all.
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

BASE_DIR = Path(__file__).resolve().parent.parent

ATRIUM_HOME = env.load(BASE_DIR)

# --- What production refuses to start without -------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY", default="insecure-for-debug-only" if DEBUG else "")
# Tokens have a key of their own, so that one key can be replaced without the other: a new JWT key ends every session,
# a new SECRET_KEY spoils signed links and cookies.
JWT_SIGNING_KEY = env("JWT_SIGNING_KEY", default="insecure-for-debug-only-and-at-least-32-bytes" if DEBUG else "")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
PUBLIC_URL = env("PUBLIC_URL", default="http://localhost:8000" if DEBUG else "").rstrip("/")


def _refuse_unsafe_production() -> None:
    """Raise ImproperlyConfigured naming every setting that would make a public server unsafe."""
    faults = []
    for name, value in (("SECRET_KEY", SECRET_KEY), ("JWT_SIGNING_KEY", JWT_SIGNING_KEY)):
        if len(value) < 32 or re.search(r"change-?me|insecure|^secret", value, re.IGNORECASE):
            faults.append(f"{name} must be a random value of 32 characters or more")
    if SECRET_KEY and SECRET_KEY == JWT_SIGNING_KEY:
        faults.append("JWT_SIGNING_KEY must differ from SECRET_KEY")
    if "*" in ALLOWED_HOSTS:
        faults.append("ALLOWED_HOSTS must name this site's hosts, not *")
    if not PUBLIC_URL:
        faults.append("PUBLIC_URL must be set: the links in mails are built from it")
    if faults:
        raise ImproperlyConfigured(
            "Atrium does not start like this: " + "; ".join(faults) + ". See .env.example, or start with bin/up, which "
            "makes the keys itself."
        )


if not DEBUG:
    _refuse_unsafe_production()
if urlsplit(PUBLIC_URL).scheme not in ("http", "https") or not urlsplit(PUBLIC_URL).netloc:
    raise ImproperlyConfigured(f"PUBLIC_URL must look like https://atrium.example.org, not {PUBLIC_URL!r}.")
HTTPS = PUBLIC_URL.startswith("https://")

# --- Apps, in the order in which Django looks for templates and commands ----------------------------------------------

INSTALLED_APPS = [
    "config",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "django.contrib.admin",
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
    # What every answer has: its figures, its line in the log, 503 in an outage, its headers.
    "config.metrics.MetricsMiddleware",
    "config.logs.RequestMiddleware",
    "config.errors.OutageMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.csp.PolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "config.slashes.CommonMiddleware",
    "config.lengths.LengthMiddleware",
    "config.public_reads.PublicReadsMiddleware",
    # What only a view asks for.
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
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
    ENGINE="django_prometheus.db.backends.postgresql",
    # A new connection costs more than most queries: keep one a thread, and replace it when it has died.
    CONN_MAX_AGE=None,
    CONN_HEALTH_CHECKS=True,
)
DATABASES["default"].setdefault("OPTIONS", {}).update(
    connect_timeout=3,
    keepalives_idle=30,
    application_name=env("ATRIUM_PROCESS", default="atrium"),
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: one database for cache, presence and events, another for the broker ---------------------------------------

REDIS_URL = env.address(
    "REDIS_URL",
    default="redis://127.0.0.1:1/0",
    schemes=("redis", "rediss", "unix"),
    like="redis://:password@host:6379/0",
)
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "atrium",
        "OPTIONS": {
            # Short, because a request waits: without Redis everything is served from Postgres.
            "SOCKET_CONNECT_TIMEOUT": 0.5,
            "SOCKET_TIMEOUT": 1,
            "IGNORE_EXCEPTIONS": True,
            "LOG_IGNORED_EXCEPTIONS": True,
        },
    }
}

# --- Celery -----------------------------------------------------------------------------------------------------------
# The work itself is in Postgres (config/claims.py), so these choose speed of recovery, not safety of data.

CELERY_BROKER_URL = env.address(
    "CELERY_BROKER_URL", default="redis://127.0.0.1:1/1", like="redis://host:6379/1 or amqp://user:password@host:5672//",
    schemes=("redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps", "pyamqp"),
)  # fmt: skip
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Without these a publish on a hung Redis blocks for more than 25 s, and on one that refuses to talk for 6.
CELERY_BROKER_CONNECTION_TIMEOUT = 3
CELERY_BROKER_TRANSPORT_OPTIONS = {"max_retries": 0} | (
    {"socket_timeout": 5, "socket_connect_timeout": 3, "health_check_interval": 10, "visibility_timeout": 3600}
    if CELERY_BROKER_URL.startswith(("redis", "sentinel"))
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
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000  # KiB; a child above it is replaced after its task
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_RESULT_EXPIRES = timedelta(days=7)
CELERY_BEAT_SCHEDULER = "config.beat.Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SYNC_EVERY = 10  # ticks after which the last runs are written down, where `manage.py doctor` reads them
CELERY_TIMEZONE = "UTC"
DJANGO_CELERY_BEAT_TZ_AWARE = True

# Made as rows after each migrate, where an administrator may then change or pause them (config/schedule.py).
# Each is a sweep over rows that a lost message left behind: seconds, not minutes.
TRENDS_INTERVAL = env.number("TRENDS_INTERVAL", default=120, least=1)
PERIODIC_TASKS: dict[str, tuple[str, int]] = {
    "mail: send what is due": ("config.tasks.send_mail", 5),
    "accounts: mail the links that are due": ("accounts.tasks.send_links", 5),
    "messages: fan out broadcasts": ("messaging.tasks.fan_out_broadcasts", 5),
    "messages: note what was delivered": ("messaging.tasks.note_deliveries", 5),
    "messages: forget who went offline": ("messaging.tasks.forget_gone", 600),
    "accounts: forget what is over": ("accounts.tasks.forget_expired", 3600),
    "events: make sure of what was sent": ("config.tasks.send_events", 5),
    "trends: look into the watched folder": ("trends.tasks.import_inbox", TRENDS_INTERVAL),
    "trends: import what is waiting": ("trends.tasks.import_waiting", 10),
    "contacts: read uploaded sheets": ("contacts.tasks.import_uploads", 3),
    "contacts: release what has waited": ("contacts.tasks.release_due", 2),
    "contacts: mend half uploads": ("contacts.tasks.mend_uploads", 30),
    "contacts: forget old gates": ("contacts.tasks.forget_gates", 3600),
    "notes: mail the reminders that are due": ("notes.tasks.send_reminders", 10),
    "notes: read the archives that are waiting": ("notes.tasks.import_notes", 15),
    "notes: empty the trash of what is a week old": ("notes.tasks.purge_trash", 600),
    "files: remove what was discarded": ("config.tasks.discard_files", 60),
    "housekeeping: forget what has expired": ("config.tasks.forget_expired", 3600),
}

# --- Accounts, tokens, passwords --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
SILENCED_SYSTEM_CHECKS = ["auth.W004"]  # usernames are unique without regard to case, by accounts.User.username_lower
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "accounts.backends.EmailOrUsernameBackend",
]
# OWASP's Argon2id parameters (19 MiB, t=2, p=1): the default ones starve the API during a storm of log-ins.
PASSWORD_HASHERS = [
    "accounts.hashers.Argon2idHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/messager/"
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
}
# Axes guards the admin's log-in form alone; the API has throttles of its own.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=5)
AXES_LOCKOUT_PARAMETERS = [["ip_address", "username"]]
AXES_ONLY_ADMIN_SITE = True
AXES_ENABLE_ACCESS_FAILURE_LOG = False
AXES_DISABLE_ACCESS_LOG = True  # accounts.UserSession knows of every sign-in, the admin's too
AXES_VERBOSE = False

# --- The API ----------------------------------------------------------------------------------------------------------

TRUSTED_PROXIES = env.number("TRUSTED_PROXIES", default=0)
AXES_CLIENT_IP_CALLABLE = "config.clients.client_place"
AXES_USERNAME_CALLABLE = "accounts.throttles.name_at_the_admins_door"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.SessionTokenAuthentication",
        "accounts.authentication.CookieAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["config.codecs.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["config.codecs.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.codecs.LenientNegotiation",
    "DEFAULT_THROTTLE_CLASSES": ["config.throttling.AnonThrottle", "config.throttling.UserThrottle"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "config.pagination.FeedPagination",
    "DEFAULT_SCHEMA_CLASS": "config.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "NUM_PROXIES": TRUSTED_PROXIES,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
THROTTLE_ANON = env.rate("THROTTLE_ANON", default="300/min")
THROTTLE_USER = env.rate("THROTTLE_USER", default="1200/min")
THROTTLE_LOGIN = env.rate("THROTTLE_LOGIN", default="20/min")
THROTTLE_REGISTER = env.rate("THROTTLE_REGISTER", default="20/hour")
THROTTLE_MAIL = env.rate("THROTTLE_MAIL", default="10/hour")
THROTTLE_SEND = env.rate("THROTTLE_SEND", default="120/min")
THROTTLE_UPLOAD = env.rate("THROTTLE_UPLOAD", default="60/hour")
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "config.errors.ExceptionHandler",
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Atrium",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": "Accounts, notes, messages, contacts and trends behind one REST API. Register, follow the link in "
    "the mail, log in, press **Authorize** in Swagger and paste the access token.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "persistAuthorization": True,
        "displayRequestDuration": True,
        "filter": True,
    },
    "ENUM_NAME_OVERRIDES": {"NoteRole": "notes.models.Role", "CollaboratorRole": ["editor", "viewer"]},
}
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/(api|schema)/"
CORS_EXPOSE_HEADERS = ["ETag", "Retry-After", "X-Request-ID"]
CORS_ALLOW_HEADERS = [
    "accept", "authorization", "content-type", "x-csrftoken", "x-request-id", "x-requested-with",
    "if-match", "if-none-match", "idempotency-key", "last-event-id",
]  # fmt: skip

# --- Mail: SMTP by EMAIL_URL, or files under ATRIUM_HOME/mail whose links show in the log -----------------------------

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

# --- Files: S3 by AWS_STORAGE_BUCKET_NAME, or ATRIUM_HOME/files -------------------------------------------------------

AWS_STORAGE_BUCKET_NAME = env("AWS_STORAGE_BUCKET_NAME", default="")
SIGNED_URL_SECONDS = 300
FILES_DIR = ATRIUM_HOME / "files"
if AWS_STORAGE_BUCKET_NAME:
    from botocore.config import Config as _BotoConfig

    AWS_ACCESS_KEY_ID = env("AWS_ACCESS_KEY_ID", default=None)
    AWS_SECRET_ACCESS_KEY = env("AWS_SECRET_ACCESS_KEY", default=None)
    AWS_S3_ENDPOINT_URL = env("AWS_S3_ENDPOINT_URL", default="") or None
    AWS_S3_REGION_NAME = env("AWS_S3_REGION_NAME", default="") or None
    AWS_S3_SIGNATURE_VERSION = "s3v4"
    AWS_DEFAULT_ACL = None  # private by the bucket's own policy
    AWS_QUERYSTRING_EXPIRE = SIGNED_URL_SECONDS
    AWS_S3_FILE_OVERWRITE = False
    AWS_S3_CLIENT_CONFIG = _BotoConfig(
        connect_timeout=3, read_timeout=10, retries={"max_attempts": 2}, signature_version="s3v4",
        s3={"addressing_style": "path" if AWS_S3_ENDPOINT_URL else "auto"},
    )  # fmt: skip
    _FILES: dict[str, object] = {"BACKEND": "storages.backends.s3.S3Storage"}
else:
    _FILES = {"BACKEND": "config.storage.PrivateFileSystemStorage", "OPTIONS": {"location": FILES_DIR}}
STORAGES = {
    "default": _FILES,
    # Public, and served by another user than the one who collected them.
    "staticfiles": {"BACKEND": "config.statics.StaticFilesStorage", "OPTIONS": {"file_permissions_mode": 0o644}},
}
STATIC_URL = "/static/"
STATIC_ROOT = Path(env("STATIC_ROOT", default=ATRIUM_HOME / "static"))
# Source maps are half of the bytes and read by nobody but a debugger: compressing them doubles the first start.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = [*Compressor.SKIP_COMPRESS_EXTENSIONS, "map", "txt", "md"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024  # a JSON body; files are counted by each upload itself
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
FILE_UPLOAD_PERMISSIONS = 0o600

# --- The domains' own settings ----------------------------------------------------------------------------------------

EVENTS_URL = env.address("EVENTS_URL", default="", schemes=("https", "http"), like="https://atrium.example.org").rstrip(
    "/"
)
NOTES_TRASH_DAYS = env.number("NOTES_TRASH_DAYS", default=7)
NOTES_IMPORT_MAX_MB = env.number("NOTES_IMPORT_MAX_MB", default=200, least=1)
CONTACT_WINDOW = timedelta(seconds=env.number("CONTACT_WINDOW", default=180))
CONTACT_BACKLOG_MAX = timedelta(seconds=env.number("CONTACT_BACKLOG_MAX", default=24 * 3600))
CONTACT_MAX_BYTES = env.number("CONTACT_MAX_BYTES", default=25 * 1024 * 1024, least=1)
CONTACT_MAX_ROWS = env.number("CONTACT_MAX_ROWS", default=1_000_000, least=1)
# What the process that reads a sheet may take: bytes unpacked, bytes of address space, seconds of processor time.
CONTACT_MAX_UNZIPPED = env.number("CONTACT_MAX_UNZIPPED", default=500_000_000, least=1)
CONTACT_READER_MEMORY = env.number("CONTACT_READER_MEMORY", default=1_000_000_000, least=1)
CONTACT_READER_SECONDS = env.number("CONTACT_READER_SECONDS", default=60, least=1)
TRENDS_INBOX = Path(env("TRENDS_INBOX", default=ATRIUM_HOME / "trends" / "inbox"))
TRENDS_BACKUP = Path(env("TRENDS_BACKUP", default=ATRIUM_HOME / "trends" / "backup"))
TRENDS_SETTLE = env.number("TRENDS_SETTLE", default=10.0)
TRENDS_MAX_UPLOAD = env.number("TRENDS_MAX_UPLOAD", default=50, least=1) * 1024 * 1024

# --- Security headers -------------------------------------------------------------------------------------------------

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz/$", r"^readyz/$", r"^metrics/$"]  # asked by probes from inside
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
CSRF_FAILURE_VIEW = "config.errors.csrf_failure"
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
TIME_ZONE = "UTC"
USE_TZ = True

LOG_FORMAT = env("LOG_FORMAT", default="console")
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_COMMAND_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG  # of a streamed answer: one line says how it ended
LOGGING_CONFIG = "config.logs.configure"
LOGGING = {"format": LOG_FORMAT}

PROMETHEUS_EXPORT_MIGRATIONS = False
TEST_RUNNER = "django.test.runner.DiscoverRunner"

SENTRY_DSN = env("SENTRY_DSN", default="")
if SENTRY_DSN:
    import sentry_sdk

    try:
        sentry_sdk.init(SENTRY_DSN, send_default_pii=False, max_request_body_size="never")
    except sentry_sdk.utils.BadDsn as error:
        raise ImproperlyConfigured(f"SENTRY_DSN cannot be used: {error}.") from error

# --- Admin ------------------------------------------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Atrium",
    "SITE_HEADER": "Atrium",
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_ICON": lambda request: static("atrium/icon.svg"),
    "STYLES": [lambda request: static("atrium/admin.css")],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("atrium/icon.svg")}],
    "COLORS": {
        "primary": {  # the green of atrium.css, lightest first
            "50": "#f0f8f5", "100": "#dcece7", "200": "#b9dbd1", "300": "#8cc7b7", "400": "#5cab98", "500": "#2f8c79",
            "600": "#0b6a5b", "700": "#07564a", "800": "#0a453c", "900": "#0b3a33", "950": "#04211b",
        }
    },
}  # fmt: skip
IMPORT_EXPORT_USE_TRANSACTIONS = True
