"""Every route in one list."""

from allauth.account import views as account
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from console.health import healthz, readyz
from console.live import live
from console.metrics import metrics
from console.views import alerts, board, catalogue, connect, counts, dead_letters, home, processes, runs, storage
from partners.api.problems import unknown_route

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
    path("alerts/", alerts.alert_list, name="alerts"),
    path("alerts/rows/", alerts.alert_rows, name="alert_rows"),
    path("alerts/export.csv", alerts.alert_csv, name="alert_csv"),
    path("alerts/<int:pk>/", alerts.alert_detail, name="alert"),
    path("alerts/<int:pk>/act/", alerts.alert_act, name="alert_act"),
    path("dead-letters/", dead_letters.dead_letter_list, name="dead_letters"),
    path("dead-letters/export.csv", dead_letters.dead_letter_csv, name="dead_letter_csv"),
    path("dead-letters/settle/", dead_letters.dead_letter_settle, name="dead_letter_settle"),
    path("dead-letters/<int:pk>/", dead_letters.dead_letter_preview, name="dead_letter"),
    path("runs/", runs.run_list, name="runs"),
    path("runs/<int:pk>/", runs.run_detail, name="run"),
    path("runs/<int:pk>/spans/<str:span>/", runs.run_span, name="run_span"),
    path("runs/<int:pk>/payload/<int:intake>/", runs.run_payload, name="run_payload"),
    path("catalogue/", catalogue.show, name="catalogue"),
    path("catalogue/workflows/<int:pk>/assign/", catalogue.assign, name="assign"),
    path("catalogue/processes/new/", processes.edit, name="process_new"),
    path("catalogue/processes/<int:pk>/", processes.show, name="process"),
    path("catalogue/processes/<int:pk>/edit/", processes.edit, name="process_edit"),
    path("catalogue/processes/<int:pk>/slas/new/", processes.edit_sla, name="sla_new"),
    path("catalogue/processes/<int:pk>/slas/<int:sla_pk>/", processes.edit_sla, name="sla_edit"),
    path("catalogue/processes/<int:pk>/slas/<int:sla_pk>/remove/", processes.remove_sla, name="sla_remove"),
    path("connect/", connect.show, name="connect"),
    path("connect/keys/", connect.issue, name="key_issue"),
    path("connect/keys/<int:pk>/revoke/", connect.revoke, name="key_revoke"),
    path("storage/", storage.show, name="storage"),
    path("storage/holds/", storage.place, name="hold_place"),
    path("storage/holds/<int:pk>/release/", storage.release, name="hold_release"),
]

_api: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("v1/", include("partners.api.urls")),
    path("v1/", include("monitoring.api.urls")),
    path("v1/", include("governance.api.urls")),
    re_path(r"^", unknown_route),
]

handler500 = "console.trouble.broken"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("live/", live, name="live"),
    path("accounts/", include(_accounts)),
    path("api/", include(_api)),
    path("t/<slug:tenant>/", include(_pages)),
]
