"""Processes and promises, as people write them down."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from console.durations import read_duration
from monitoring.models import Process, Sla
from monitoring.models.catalogue import Criticality, SlaKind
from monitoring.selectors.visibility import tenant_rows
from partners.models import Site, User
from partners.selectors import visible_members
from partners.viewer import Viewer

#: A tenant's managers answer inside a scope only; this stands in until a request opens one.
_NO_SITE: QuerySet[Site] = QuerySet(Site).none()


class ProcessForm(forms.Form):
    """A process: its name, where it runs, who answers for it, how much it matters."""

    name = forms.CharField(
        max_length=120, help_text="What the plant calls it: Order release, Quality hold.", label="Name"
    )
    site = forms.ModelChoiceField(_NO_SITE, required=False, empty_label="All sites", label="Site")
    owner = forms.ModelChoiceField(
        User.objects.none(),
        required=False,
        empty_label="Nobody yet",
        label="Process owner",
        help_text="Who answers for it. Alerts name this person.",
    )
    criticality = forms.ChoiceField(choices=Criticality.choices, initial=Criticality.NORMAL, label="Criticality")
    regulated = forms.BooleanField(required=False, label="Regulated (GxP, food safety, safety)")
    cost_per_hour = forms.DecimalField(
        required=False, min_value=0, max_digits=12, decimal_places=2, label="Cost of an hour's standstill"
    )
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}), label="Description")

    def __init__(self, viewer: Viewer, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose(self, "site", tenant_rows(viewer, Site).order_by("name"))
        people = visible_members(viewer).order_by().values("user_id")
        _choose(self, "owner", User.objects.filter(pk__in=people, is_active=True).order_by("name", "email"))

    @staticmethod
    def of(process: Process) -> dict[str, Any]:
        """Return what the form starts from for a known process."""
        names = ("name", "criticality", "regulated", "cost_per_hour", "description")
        return {name: getattr(process, name) for name in names} | {
            "site": process.site_id,
            "owner": process.owner_id,
        }


class SlaForm(forms.Form):
    """A promise: how long a run may take, or by when it is done, and for how many runs that holds."""

    name = forms.CharField(max_length=120, initial="Lead time", label="Name")
    kind = forms.ChoiceField(choices=SlaKind.choices, label="Promise")
    target = forms.CharField(
        required=False, label="Takes at most", help_text="For example 90 s, 15 min or 4 h, from start to end."
    )
    due_local = forms.CharField(
        required=False, label="Done by", help_text="A daily time such as 14:00, on the clock of the process's site."
    )
    due_attribute = forms.CharField(
        required=False,
        max_length=120,
        label="Due time in the telemetry",
        help_text="The attribute in which the automation states its own due time; it goes before the daily time.",
    )
    objective = forms.DecimalField(
        max_digits=5, decimal_places=2, initial=99, label="Kept by at least (per cent of the runs)"
    )

    def clean_target(self) -> int | None:
        """Read the duration."""
        text = self.cleaned_data["target"]
        if not text:
            return None
        try:
            return read_duration(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def fields_of_sla(self) -> dict[str, Any]:
        """Return the row's fields; what belongs to the other kind of promise is emptied."""
        cleaned = dict(self.cleaned_data)
        target = cleaned.pop("target")
        if cleaned["kind"] == SlaKind.DURATION:
            return cleaned | {"target_s": target, "due_local": "", "due_attribute": ""}
        return cleaned | {"target_s": None}

    @staticmethod
    def of(sla: Sla) -> dict[str, Any]:
        """Return what the form starts from for a known promise."""
        names = ("name", "kind", "due_local", "due_attribute", "objective")
        return {name: getattr(sla, name) for name in names} | {"target": _written(sla.target_s)}


def refuse(form: forms.Form, error: ValidationError, *, renamed: dict[str, str] | None = None) -> None:
    """Put a service's objections beside the fields they are about."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for field, errors in error.error_dict.items():
        place = (renamed or {}).get(field, field)
        form.add_error(place if place in form.fields else None, errors)


def _choose(form: forms.Form, name: str, rows: Any) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ModelChoiceField)
    field.queryset = rows


def _written(seconds: int | None) -> str:
    if not seconds:
        return ""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
