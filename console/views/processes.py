"""One process of the catalogue, and the forms that change it and what it promises."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from console.access import tenant_page
from console.forms.catalogue import ProcessForm, SlaForm, refuse
from monitoring.models import Process, Sla
from monitoring.selectors.catalogue import mapping_rules_listed, process_get, slas_listed, workflows_listed
from monitoring.services.catalogue import process_save, sla_remove, sla_save
from partners.roles import Right
from partners.viewer import Viewer


@tenant_page()
@require_safe
def show(request: HttpRequest, viewer: Viewer, pk: int) -> HttpResponse:
    """Show one process: owner, promises, workflows and the rules that lead to it."""
    process = _process(viewer, pk)
    shown = {
        "process": process,
        "slas": slas_listed(viewer, process=pk),
        "workflows": workflows_listed(viewer, process=pk).order_by("name"),
        "rules": mapping_rules_listed(viewer).filter(process=pk),
    }
    return render(request, "catalogue/process.html", shown)


@tenant_page(Right.EDIT_CATALOGUE)
def edit(request: HttpRequest, viewer: Viewer, pk: int | None = None) -> HttpResponse:
    """Make a process, or change one."""
    process = _process(viewer, pk) if pk is not None else None
    form = ProcessForm(viewer, request.POST or None, initial=ProcessForm.of(process) if process else None)
    if request.method == "POST" and form.is_valid():
        try:
            saved = process_save(process=process, fields=form.cleaned_data, viewer=viewer)
        except ValidationError as error:
            refuse(form, error)
        else:
            messages.success(request, f"{saved.name} is saved.")
            return redirect("process", tenant=viewer.tenant.slug, pk=saved.pk)
    return _form(request, form, process, "Add a process" if process is None else f"Change {process.name}")


@tenant_page(Right.EDIT_CATALOGUE)
def edit_sla(request: HttpRequest, viewer: Viewer, pk: int, sla_pk: int | None = None) -> HttpResponse:
    """Make a promise of a process, or change one."""
    process = _process(viewer, pk)
    sla = _sla(viewer, pk, sla_pk) if sla_pk is not None else None
    form = SlaForm(request.POST or None, initial=SlaForm.of(sla) if sla else None)
    if request.method == "POST" and form.is_valid():
        try:
            saved = sla_save(sla=sla, fields=form.fields_of_sla() | {"process_id": pk}, viewer=viewer)
        except ValidationError as error:
            refuse(form, error, renamed={"target_s": "target"})
        except IntegrityError:
            form.add_error("name", f"{process.name} has an SLA of this name already; choose another name.")
        else:
            messages.success(request, f"SLA {saved.name} is saved. It holds for runs that start from now on.")
            return redirect("process", tenant=viewer.tenant.slug, pk=pk)
    return _form(request, form, process, f"Add an SLA to {process.name}" if sla is None else f"Change SLA {sla.name}")


@tenant_page(Right.EDIT_CATALOGUE)
@require_POST
def remove_sla(request: HttpRequest, viewer: Viewer, pk: int, sla_pk: int) -> HttpResponse:
    """Take a promise back."""
    sla = _sla(viewer, pk, sla_pk)
    sla_remove(sla=sla, viewer=viewer)
    messages.success(request, f"SLA {sla.name} is removed. Runs measured against it keep their result.")
    return redirect("process", tenant=viewer.tenant.slug, pk=pk)


def _process(viewer: Viewer, pk: int) -> Process:
    try:
        return process_get(viewer, pk)
    except Process.DoesNotExist as missing:
        raise Http404 from missing


def _sla(viewer: Viewer, process_pk: int, pk: int) -> Sla:
    try:
        return slas_listed(viewer, process=process_pk).get(pk=pk)
    except Sla.DoesNotExist as missing:
        raise Http404 from missing


def _form(request: HttpRequest, form: Any, process: Process | None, title: str) -> HttpResponse:
    status = 422 if form.is_bound else 200
    return render(request, "catalogue/form.html", {"form": form, "process": process, "title": title}, status=status)
