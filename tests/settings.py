"""Settings of the test suite: the console's own, on servers that the suite starts for itself."""

import os

from tests import servers

os.environ.update(servers.environment())

from console.settings import *  # noqa: F403 - the environment above decides what it reads
from console.settings import DATABASES

for _database in DATABASES.values():
    _database["NAME"] = servers.database_name()

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
#: A task that is sent stays in this process's memory: no test runs one unless it calls it.
CELERY_BROKER_URL = "memory://"
