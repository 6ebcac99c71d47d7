"""Django settings, grouped by topic, everything from the environment. With nothing set, the embedded default runs."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path

from csp.constants import NONE, SELF

from console.databases import databases
from console.embedded import valkey
from console.embedded.home import home, secrets

BASE_DIR = Path(__file__).resolve().parent.parent
ANDON_HOME = home(os.environ)


def _flag(name: str, default: bool) -> bool:
    return os.environ.get(name, str(default)).lower() in {"1", "true", "yes", "on"}


# What this installation is -------------------------------------------------------------------------------------------
VERSION = "0.1.0"
PORT = int(os.environ.get("PORT", "8000"))
#: Where OTLP over gRPC is taken; 0: nowhere.
GRPC_PORT = int(os.environ.get("ANDON_GRPC_PORT", "0"))
#: True where Andon is reached over HTTPS; then cookies, redirects and HSTS insist on it.
SECURE = _flag("ANDON_SECURE", default=False)
DEBUG = _flag("ANDON_DEBUG", default=False)
SECRET_KEY = os.environ.get("ANDON_SECRET_KEY") or secrets(ANDON_HOME)["secret_key"]
ALLOWED_HOSTS = os.environ.get("ANDON_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
#: The address people reach the console at; links in mail and alerts start with it.
PUBLIC_URL = os.environ.get("ANDON_PUBLIC_URL", f"http://127.0.0.1:{PORT}").rstrip("/")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

# Applications and middleware -----------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "console",
    "governance",
    "monitoring",
    "partners",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "csp",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "guardian",
    "rest_framework",
]
MIDDLEWARE = [
    "console.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "console.urls"
ASGI_APPLICATION = "console.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.context.frame",
            ],
            "builtins": ["console.templatetags.console"],
        },
    }
]

# Data ----------------------------------------------------------------------------------------------------------------
#: Role names in the database; migrations grant to them.
DATABASE_ROLES = {"app": "andon_app", "fleet": "andon_fleet"}
DATABASES = databases(os.environ)
DATABASE_ROUTERS: list[str] = []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
#: An intake body may not pass this, before or after decompression (OTLP 1.11 recommends 64 MiB).
INTAKE_MAX_BYTES = int(os.environ.get("ANDON_INTAKE_MAX_BYTES", str(64 * 1024 * 1024)))
#: Bytes over the wire that one web process holds at once; over it clients are asked to come back in a second. What
#: they hold decompressed is bounded by the threads: 4 MiB for each, and one body of any size at a time.
INTAKE_MAX_IN_FLIGHT_BYTES = int(os.environ.get("ANDON_INTAKE_MAX_IN_FLIGHT_BYTES", str(96 * 1024 * 1024)))
#: Days that what was received is kept, at least 7; a legal hold keeps a day longer.
INTAKE_RETENTION_DAYS = int(os.environ.get("ANDON_INTAKE_RETENTION_DAYS", "400"))
INTAKE_THREADS = int(os.environ.get("ANDON_INTAKE_THREADS", "4"))
#: Processes that belong to one console add up their counts under this name; without it, those of one parent do.
INTAKE_RUN = os.environ.get("ANDON_RUN", "")
#: What a tenant may send in a second to one web process; nought is no limit.
INTAKE_TENANT_REQUESTS_PER_S = float(os.environ.get("ANDON_INTAKE_TENANT_REQUESTS_PER_S", "0"))
INTAKE_TENANT_BYTES_PER_S = float(os.environ.get("ANDON_INTAKE_TENANT_BYTES_PER_S", "0"))

# People --------------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "partners.User"
AUTHENTICATION_BACKENDS = [
    "allauth.account.auth_backends.AuthenticationBackend",
    "guardian.backends.ObjectPermissionBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "console.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_SESSION_REMEMBER = True
#: A plant's people share addresses behind one proxy, so failures count by e-mail address and by address.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
GUARDIAN_RAISE_403 = False
ANONYMOUS_USER_NAME = None

# Browser security ----------------------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
SECURE_SSL_REDIRECT = SECURE
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _flag("ANDON_BEHIND_PROXY", default=False) else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_NAME = "__Host-andon" if SECURE else "andon"
CSRF_COOKIE_NAME = "__Host-andon-csrf" if SECURE else "andon-csrf"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

# Static files --------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = ANDON_HOME / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "console.static_storage.StaticStorage"},
}
WHITENOISE_USE_FINDERS = True

# Tasks ---------------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL") or valkey.broker_url(ANDON_HOME)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "max_retries": 1,
    "polling_interval": 0.2,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = {
    "timers": {"task": "monitoring.timers_sweep", "schedule": 2.0},
    "intake_days_keep": {"task": "monitoring.intake_days_keep", "schedule": 3600.0},
    "intake_days_count": {"task": "monitoring.intake_days_count", "schedule": 300.0},
    "plain_tries_prune": {"task": "monitoring.plain_tries_prune_all", "schedule": 3600.0},
}

# Mail and webhooks ---------------------------------------------------------------------------------------------------
EMAIL_HOST = os.environ.get("EMAIL_HOST", "")
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "587"))
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = _flag("EMAIL_USE_TLS", default=bool(EMAIL_HOST_USER))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "andon@localhost")
#: Networks that webhooks may reach although they are private, as CIDR blocks.
WEBHOOK_ALLOWED_NETWORKS = [n for n in os.environ.get("ANDON_WEBHOOK_ALLOWED_NETWORKS", "").split(",") if n]

# REST ----------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "partners.api.authentication.TokenAuthentication",
        "partners.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "partners.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Andon",
    "VERSION": VERSION,
    "DESCRIPTION": "Processes, runs, alerts and dead letters of one tenant.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    # The schema is the same for everyone and says nothing of anyone's data.
    "SERVE_AUTHENTICATION": [],
    "ENUM_NAME_OVERRIDES": {
        "AlertKind": "monitoring.findings.Kind",
        "AlertStatus": "monitoring.models.alerts.AlertStatus",
        "ChannelKind": "monitoring.models.delivery.ChannelKind",
        "Criticality": "monitoring.models.catalogue.Criticality",
        "DeadLetterState": "monitoring.models.telemetry.DeadLetterState",
        "Role": "partners.roles.Role",
        "RunStatus": "monitoring.models.telemetry.RunStatus",
        "Severity": "monitoring.findings.Severity",
        "SlaKind": "monitoring.models.catalogue.SlaKind",
        "SlaState": "monitoring.models.telemetry.SlaState",
        "TenantRole": "partners.api.members.TENANT_ROLES",
    },
}

# Itself --------------------------------------------------------------------------------------------------------------
SENTRY_DSN = os.environ.get("SENTRY_DSN", "")
LOG_LEVEL = os.environ.get("ANDON_LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "console.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"handlers": ["stderr"], "propagate": False},
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        # A line for each sweep, every two seconds, would bury what matters.
        "celery": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        # Celery gives these two a handler of its own, with plain lines, unless they have one.
        "celery.task": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "multiprocessing": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
    },
}
# Python's warnings become lines of the logger "py.warnings".
logging.captureWarnings(True)
# Static files are sent by WhiteNoise, which reads them synchronously; under ASGI Django then takes each file whole and
# says so for every one. They are small and the browser keeps them, so there is nothing to be done about it.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
SILENCED_SYSTEM_CHECKS: list[str] = []
