"""Every route in one list."""

from allauth.account import views as account
from django.urls import URLPattern, URLResolver, include, path, re_path

from console.health import healthz, readyz
from console.live import live
from console.metrics import metrics
from console.views import board, catalogue, counts, home, processes
from console.views.placeholder import placeholder

#: Signing in, out, and a new password. Accounts are made by administrators, so sign-up only says that it is closed.
_accounts: list[URLPattern | URLResolver] = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("signup/", account.signup, name="account_signup"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("password/reset/", account.password_reset, name="account_reset_password"),
    path("password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]

_pages: list[URLPattern | URLResolver] = [
    path("", board.show, name="board"),
    path("counts/<slug:what>/", counts.counts, name="counts"),
    path("alerts/", placeholder, name="alerts"),
    path("alerts/<int:pk>/", placeholder, name="alert"),
    path("dead-letters/", placeholder, name="dead_letters"),
    path("runs/", placeholder, name="runs"),
    path("runs/<int:pk>/", placeholder, name="run"),
    path("catalogue/", catalogue.show, name="catalogue"),
    path("catalogue/workflows/<int:pk>/assign/", catalogue.assign, name="assign"),
    path("catalogue/processes/new/", processes.edit, name="process_new"),
    path("catalogue/processes/<int:pk>/", processes.show, name="process"),
    path("catalogue/processes/<int:pk>/edit/", processes.edit, name="process_edit"),
    path("catalogue/processes/<int:pk>/slas/new/", processes.edit_sla, name="sla_new"),
    path("catalogue/processes/<int:pk>/slas/<int:sla_pk>/", processes.edit_sla, name="sla_edit"),
    path("catalogue/processes/<int:pk>/slas/<int:sla_pk>/remove/", processes.remove_sla, name="sla_remove"),
    path("connect/", placeholder, name="connect"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("live/", live, name="live"),
    path("accounts/", include(_accounts)),
    path("t/<slug:tenant>/", include(_pages)),
]
