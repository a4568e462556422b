"""Django settings. Every value that differs between installations comes from the environment (`portal/env.py`)."""

from __future__ import annotations

from ipaddress import ip_network

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _
from kombu import Queue

from portal import logs
from portal.env import BASE_DIR, celery_broker_url, data_dir, database, env
from portal.local.secret import read_or_create
from portal.schedule import SCHEDULE

DATA_DIR = data_dir()
DEBUG = False
SECRET_KEY = env.str("PORTAL_SECRET_KEY", default="") or read_or_create(DATA_DIR / "secret_key")
ALLOWED_HOSTS = env.list("PORTAL_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("PORTAL_TRUSTED_ORIGINS", default=[])
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_htmx",
    "django_structlog",
    "csp",
    "lucide",
    "portal.apps.PortalConfig",
    "registry",
    "inference",
]

MIDDLEWARE = [
    # First, before anything reads the headers: the log's request id is the one that the answer carries.
    "portal.request_id.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "registry.services.receiving.DiscardBrokenUploads",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Before CSRF, which parses the body: a stranger's upload is refused before its first byte is read.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "registry.access.middleware.PrincipalMiddleware",
    "portal.page_errors.PageErrorMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.portal",
            ],
        },
    }
]

# --- stores -----------------------------------------------------------------------------------------------------------
# A connection lives as long as its thread: one is opened per thread of the web process, not per request.
DATABASES = {"default": {**database("postgres:///slipway"), "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}}
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
CACHES["default"]["OPTIONS"] = {"socket_connect_timeout": 1, "socket_timeout": 2}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

# --- people -----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "registry.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "registry.access.accounts.ClosedSignupAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "/accounts/login/"

# --- telling people and programs --------------------------------------------------------------------------------------
EMAIL_URL = env.str("PORTAL_EMAIL_URL", default="")
PORTAL_EMAIL_CONFIGURED = bool(EMAIL_URL)
globals().update(env.email_url_config(EMAIL_URL or "consolemail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("PORTAL_EMAIL_FROM", default="slipway@localhost")
PORTAL_WEBHOOK_ALLOW_PRIVATE = [ip_network(text) for text in env.list("PORTAL_WEBHOOK_ALLOW_PRIVATE", default=[])]

# --- safety -----------------------------------------------------------------------------------------------------------
HTTPS = env.bool("PORTAL_HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portal.failures.csrf_failed"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
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

# --- keys of the stores -----------------------------------------------------------------------------------------------
PORTAL_SIGNING_KEY = env.str("PORTAL_SIGNING_KEY", default="")
PORTAL_SIGNING_KEY_IS_GIVEN = bool(PORTAL_SIGNING_KEY)
PORTAL_SIGNING_KEY = PORTAL_SIGNING_KEY or read_or_create(DATA_DIR / "signing_key", 32)
PORTAL_TRUSTED_SIGNING_KEYS = env.list("PORTAL_TRUSTED_SIGNING_KEYS", default=[])
# There since the day on which no version was without a seal; who can write to the database cannot take it away.
PORTAL_REQUIRE_SEALS = env.bool("PORTAL_REQUIRE_SEALS", default=(DATA_DIR / "seals_required").exists())
PORTAL_ENCRYPTION_KEY = env.str("PORTAL_ENCRYPTION_KEY", default="")

# --- limits -----------------------------------------------------------------------------------------------------------
PORTAL_MAX_UPLOAD_BYTES = env.int("PORTAL_MAX_UPLOAD_BYTES", default=5 * 1024**3)
PORTAL_MAX_BODY_BYTES = env.int("PORTAL_MAX_BODY_BYTES", default=64 * 1024**2)
PORTAL_MAX_BODIES_BYTES = env.int("PORTAL_MAX_BODIES_BYTES", default=512 * 1024**2)
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024**2
FILE_UPLOAD_HANDLERS = ["registry.services.receiving.QuarantineHandler"]

# --- serving ----------------------------------------------------------------------------------------------------------
PORTAL_SESSION_BUDGET_BYTES = env.int("PORTAL_SESSION_BUDGET_BYTES", default=2 * 1024**3)
PORTAL_FAIL_STATIC_SECONDS = env.int("PORTAL_FAIL_STATIC_SECONDS", default=300)
PORTAL_LEASE_SECONDS = env.float("PORTAL_LEASE_SECONDS", default=3.0)
PORTAL_CONVERGENCE_SECONDS = env.float("PORTAL_CONVERGENCE_SECONDS", default=30.0)
PORTAL_QUEUE_SECONDS = env.float("PORTAL_QUEUE_SECONDS", default=5.0)
PORTAL_EXECUTION_PROVIDERS = env.list("PORTAL_EXECUTION_PROVIDERS", default=["cpu"])
PORTAL_ISOLATED_MEMORY_BYTES = env.int("PORTAL_ISOLATED_MEMORY_BYTES", default=2 * 1024**3)
PORTAL_QUARANTINE_DEATHS = env.int("PORTAL_QUARANTINE_DEATHS", default=2)
PORTAL_QUARANTINE_SECONDS = env.int("PORTAL_QUARANTINE_SECONDS", default=600)
PORTAL_RECYCLE_BYTES = env.int("PORTAL_RECYCLE_BYTES", default=2 * 1024**3)
PORTAL_SERVES = env.str("PORTAL_SERVES", default="all")
PORTAL_ROLL_BACK_HOURS = env.float("PORTAL_ROLL_BACK_HOURS", default=24.0)
# The registry asks these before it takes a version away; it imports nobody who stands above it.
PORTAL_VERSION_USERS = ["inference.selectors.version_users.users_of"]
PORTAL_VERSION_LAST_USED = ["inference.selectors.version_users.last_used"]

# --- text, time, files ------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": DATA_DIR / "files"}},
    "staticfiles": {"BACKEND": "portal.static_files.GzipManifestStorage"},
}

# --- API --------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "registry.access.authentication.TokenAuthentication",
        "registry.access.authentication.PageSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["registry.access.permissions.ActionPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["portal.api.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "registry.api.schema.Schema",
    "DEFAULT_PAGINATION_CLASS": "portal.api.Pagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "portal.api.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Slipway",
    "DESCRIPTION": "Register ONNX models, serve them, move traffic between versions, take it back.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "RolloutStateEnum": "inference.models.rollouts.RolloutState",
        "ExperimentStateEnum": "inference.models.experiments.Experiment.State",
        "DeliveryStateEnum": "registry.models.notifications.DeliveryState",
        "UploadStateEnum": "registry.models.uploads.UploadState",
    },
}

# --- tasks ------------------------------------------------------------------------------------------------------------
# PostgreSQL is the truth and a message only a doorbell, so a message may be lost or come twice; these options keep
# both rare. `unacked_restore_*` bring the message of a killed worker back in seconds instead of minutes.
CELERY = {
    "broker_url": celery_broker_url(REDIS_URL),
    "broker_connection_retry_on_startup": True,
    "broker_transport_options": {
        "visibility_timeout": 600,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        "socket_keepalive": True,
        # A broker that is dead or hangs must not hold up who rings it.
        "max_retries": 0,
        "socket_connect_timeout": 2,
        "socket_timeout": 3,
    },
    "accept_content": ["json"],
    "task_serializer": "json",
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_reject_on_worker_lost": False,
    "task_default_queue": "default",
    # A worker takes from all three in turn, so a long job delays a validation by one chunk at most.
    "task_queues": [Queue("default"), Queue("validation"), Queue("batch")],
    "task_routes": {
        "registry.tasks.unpack_version": {"queue": "validation"},
        "registry.tasks.validate_version": {"queue": "validation"},
        "inference.tasks.plan_job": {"queue": "batch"},
        "inference.tasks.run_chunk": {"queue": "batch"},
        "inference.tasks.finish_job": {"queue": "batch"},
    },
    "worker_prefetch_multiplier": 1,
    "worker_hijack_root_logger": False,
    "worker_max_tasks_per_child": 500,
    "task_time_limit": 300,
    "timezone": "UTC",
    "beat_schedule": SCHEDULE,
}

# --- logs -------------------------------------------------------------------------------------------------------------
DJANGO_STRUCTLOG_CELERY_ENABLED = True
# The id that `portal/request_id.py` has checked or made.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True
LOGGING = logs.LOGGING
logs.configure_structlog()
