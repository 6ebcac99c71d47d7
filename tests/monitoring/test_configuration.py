"""Configuration as code: read, compared, applied and written back; and every fault named with its place."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from governance.models import AuditEntry
from monitoring.models import Channel, DetectorSetting, MappingRule, Process, Sla, Workflow
from partners.models import Membership, Site, User
from partners.roles import Role
from tests import rows
from tests.cast import Member, make_tenant

_WHOLE = """
sites:
  - {slug: ulm, name: Ulm, zone: Europe/Berlin}
members:
  - {email: desk@aster.example, role: process_owner, name: Order desk}
processes:
  - slug: order-release
    name: Order release
    description: From the request to the released order.
    site: ulm
    owner: desk@aster.example
    criticality: critical
    regulated: yes
    cost_per_hour: 1200.50
    slas:
      - {name: Released in time, target: 15m, objective: 99.5}
      - {name: Before the shift, kind: due_time, due_local: 06:30}
mapping_rules:
  - name: By name
    when: span.name == "release"
    process: order-release
    keys: [{type: order, from: erp.order}]
  - {name: The rest, when: "true", process: order-release, enabled: false}
workflows:
  - {source_system: n8n, source_key: w1, name: Release, process: order-release}
detectors:
  - {kind: retry_storm, thresholds: {storm_ratio: 0.5}}
  - {kind: unmapped, enabled: false}
channels:
  - {name: Desk, kind: email, target: desk@aster.example, min_severity: low, kinds: [dead_letter]}
"""


@pytest.fixture
def apply(owner: Member, tmp_path: Path) -> Callable[..., str]:
    """Apply texts as files to the owner's tenant; returns what it printed."""

    def run(*texts: str, tenant: str = "aster-foods", dry_run: bool = False) -> str:
        paths = [tmp_path / f"{number}.yaml" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
        out = StringIO()
        call_command("apply", *map(str, paths), tenant=tenant, dry_run=dry_run, stdout=out)
        return out.getvalue().replace(str(tmp_path) + "/", "")

    return run


def _exported(tenant: str = "aster-foods") -> str:
    out = StringIO()
    call_command("export", tenant=tenant, stdout=out)
    return out.getvalue()


def test_it_makes_everything_a_file_says(owner: Member, apply: Callable[..., str]) -> None:
    assert apply(_WHOLE).endswith("11 changes made.\n")
    with owner.scope():
        process = Process.objects.get()
        assert (process.owner, process.site) == (User.objects.get(email="desk@aster.example"), Site.objects.get())
        assert (process.regulated, str(process.cost_per_hour)) == (True, "1200.50")
        assert list(Sla.objects.order_by("id").values_list("kind", "target_s", "due_local")) == [
            ("duration", 900, ""),
            ("due_time", None, "06:30"),
        ]
        rules = MappingRule.objects.order_by("position")
        assert [(rule.name, rule.enabled) for rule in rules] == [("By name", True), ("The rest", False)]
        assert rules[0].keys == [{"type": "order", "expression": "erp.order"}]
        assert Workflow.objects.get(assigned=True).process == process
        assert DetectorSetting.objects.get(kind="retry_storm").thresholds == {"storm_ratio": 0.5}
        assert Channel.objects.get().kinds == ["dead_letter"]
        assert AuditEntry.objects.filter(object_type="monitoring_process").get().actor == "system:apply"


def test_applying_twice_changes_nothing(apply: Callable[..., str]) -> None:
    apply(_WHOLE)
    assert apply(_WHOLE) == "Nothing to change.\n"


def test_applying_an_export_changes_nothing(apply: Callable[..., str]) -> None:
    apply(_WHOLE)
    assert apply(_exported()) == "Nothing to change.\n"


def test_an_export_makes_the_same_of_an_empty_tenant(owner: Member, apply: Callable[..., str]) -> None:
    apply(_WHOLE)
    exported = _exported()
    make_tenant("Cirrus Labs")
    apply(exported, tenant="cirrus-labs")
    # The administrator that only the first tenant has came along with the export, as its members do.
    assert _exported("cirrus-labs") == exported


def test_an_empty_tenant_exports_its_members_alone(owner: Member) -> None:
    assert _exported() == "members:\n- email: owner@aster.example\n  role: tenant_admin\n"


def test_a_dry_run_prints_the_difference_and_changes_nothing(owner: Member, apply: Callable[..., str]) -> None:
    printed = apply(_WHOLE, dry_run=True)
    assert "+ site ulm: name Ulm, zone Europe/Berlin" in printed.splitlines()
    assert printed.endswith("11 changes to make.\n")
    with owner.scope():
        assert not Site.objects.exists()


def test_it_says_what_changes_from_what(apply: Callable[..., str]) -> None:
    apply(_WHOLE)
    printed = apply(_WHOLE.replace("criticality: critical", "criticality: low").replace("15m", "20m"))
    assert printed.splitlines() == [
        "~ process order-release: criticality critical -> low",
        "~ SLA order-release / Released in time: target_s 900 -> 1200",
        "2 changes made.",
    ]


def test_what_a_file_does_not_name_stays(owner: Member, apply: Callable[..., str]) -> None:
    apply(_WHOLE)
    assert apply("processes:\n  - {slug: order-release, criticality: low}") == (
        "~ process order-release: criticality critical -> low\n1 change made.\n"
    )
    with owner.scope():
        assert (Process.objects.get().name, Sla.objects.count()) == ("Order release", 2)


def test_an_owner_nobody_knew_becomes_a_process_owner_without_a_password(
    owner: Member, apply: Callable[..., str]
) -> None:
    printed = apply("processes:\n  - {slug: p, name: P, owner: New@aster.example}")
    told = "+ member new@aster.example / process_owner (a person unknown so far is made without a password)"
    assert told in printed.splitlines()
    user = User.objects.get(email="new@aster.example")
    assert not user.has_usable_password()
    assert Membership.objects.get(user=user).role == Role.PROCESS_OWNER


def test_rules_stand_in_the_order_of_the_files_before_those_no_file_names(
    owner: Member, apply: Callable[..., str]
) -> None:
    apply("processes:\n  - {slug: p, name: P}")
    with owner.scope():
        rows.make_rule(Process.objects.get(), name="made by hand", position=1)
    rule = "{{name: {0}, when: 'true', process: p}}".format
    apply(f"mapping_rules: [{rule('b')}]", f"mapping_rules: [{rule('a')}]")
    with owner.scope():
        assert list(MappingRule.objects.order_by("position").values_list("name", flat=True)) == [
            "b",
            "a",
            "made by hand",
        ]
    assert apply(_exported()) == "Nothing to change.\n"


def test_positions_with_gaps_are_an_order_too(owner: Member, apply: Callable[..., str]) -> None:
    with owner.scope():
        process = rows.make_process()
        rows.make_rule(process, name="a", position=10)
        rows.make_rule(process, name="b", position=10)
        rows.make_rule(process, name="c", position=30)
    assert apply(_exported()) == "Nothing to change.\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("chanels: []", "0.yaml:1: chanels: 'chanels' is unknown here; did you mean 'channels'?"),
        ("sites:\n  - {slug: ulm, nme: Ulm}", "0.yaml:2: sites[0].nme: 'nme' is unknown here; did you mean 'name'?"),
        ("sites:\n  - {name: Ulm}", "0.yaml:2: sites[0]: 'slug' is missing; it names the site."),
        ("sites:\n  - {slug: ulm}", "0.yaml:2: sites[0]: 'name' is missing; a new site needs it."),
        ("sites:\n  - slug: ulm\n    zone: Mars", "0.yaml:3: sites[0].zone: 'Mars' is no IANA time zone"),
        ("sites: ulm", "0.yaml:1: sites: A list of site entries is wanted here"),
        ("sites: [ulm]", "0.yaml:1: sites[0]: A site with its fields is wanted here."),
        ("- sites", "0.yaml:1: The file must name sections"),
        ("sites: [\n", "0.yaml:2: This is no YAML"),
        ("sites: []\nsites: []", "0.yaml:2: sites: 'sites' is said twice."),
        ("sites:\n- {slug: a, name: A}\n- {slug: a, name: B}", "0.yaml:3: sites[1]: 'a' stands there already"),
        ("processes:\n- {slug: p, name: P, site: nowhere}", "processes[0].site: There is no site 'nowhere'"),
        ("processes:\n- {slug: p, name: P, owner: nobody}", "processes[0].owner: 'nobody' is no e-mail address."),
        ("processes:\n- {slug: p, name: P, regulated: perhaps}", "processes[0].regulated: it must be true or false."),
        ("processes:\n- {slug: p, name: P, criticality: hihg}", "'hihg' is unknown; did you mean 'high'?"),
        ("processes:\n- {slug: p, name: P, slas: [{name: s, target: 15x}]}", "slas[0].target: '15x' is no duration"),
        ("processes:\n- {slug: p, name: P, slas: [{name: s, target: 1h, target_s: 1}]}", "It is said twice"),
        ("processes:\n- {slug: p, name: P, slas: [{name: s}]}", "a duration needs a target of more than 0 seconds"),
        ("processes:\n- {slug: p, name: P, slas: [{name: s, objective: 101}]}", "101 lies outside 0 to 100."),
        ("mapping_rules:\n- {name: r, when: spn.x, process: p}", "mapping_rules[0].when: Line 1, column 1: 'spn'"),
        ("mapping_rules:\n- {name: r, when: 'true', process: p}", "There is no process 'p'; there is none."),
        ("mapping_rules:\n- {name: r, when: 'true', process: p, keys: [{type: o, frm: x}]}", "did you mean 'from'?"),
        ("detectors:\n- {kind: retry_strom}", "'retry_strom' is unknown; did you mean 'retry_storm'?"),
        (
            "detectors:\n- {kind: retry_storm, thresholds: {storm_rate: 1}}",
            "'storm_rate' is no threshold of retry_storm",
        ),
        ("channels:\n- {name: c, kind: webhook, target: 'https://127.0.0.1/'}", "A webhook can't go there: 127.0.0.1"),
        ("members:\n- {email: a@b.example, role: partner_admin}", "'partner_admin' is unknown"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_nothing_changes(
    owner: Member, apply: Callable[..., str], tmp_path: Path, text: str, told: str
) -> None:
    with owner.scope():
        before = AuditEntry.objects.count()
    with pytest.raises(CommandError) as refused:
        apply(text)
    assert told in str(refused.value).replace(str(tmp_path) + "/", "")
    assert "nothing was changed" in str(refused.value)
    with owner.scope():
        assert AuditEntry.objects.count() == before


def test_all_faults_are_named_at_once(apply: Callable[..., str]) -> None:
    with pytest.raises(CommandError, match="3 faults; nothing was changed"):
        apply("sites:\n  - {slug: a b, name: A, zone: Mars}\nnonsense: 1")


def test_a_file_that_is_not_there_and_a_tenant_nobody_has_are_said(owner: Member) -> None:
    with pytest.raises(CommandError, match=r"nowhere\.yaml can't be read: No such file or directory\."):
        call_command("apply", "nowhere.yaml", tenant="aster-foods")
    with pytest.raises(CommandError, match=r"There is no tenant 'nobody'; `manage.py provision` makes one"):
        call_command("export", tenant="nobody")


def test_a_tenant_is_found_by_its_name_too(owner: Member, apply: Callable[..., str]) -> None:
    assert apply("sites: []", tenant="Aster Foods") == "Nothing to change.\n"


def test_aliases_in_the_text_are_read_as_what_they_stand_for(owner: Member, apply: Callable[..., str]) -> None:
    apply("sites:\n  - &one {slug: a, name: A}\nprocesses:\n  - {slug: p, name: &n P, description: *n}")
    with owner.scope():
        assert Process.objects.get().description == "P"


def test_numbers_and_words_that_yaml_would_guess_at_stay_text(owner: Member, apply: Callable[..., str]) -> None:
    apply("sites:\n  - {slug: 0815, name: no}\nprocesses:\n  - {slug: p, name: 12:30:45, site: 0815}")
    with owner.scope():
        assert (Site.objects.get().slug, Site.objects.get().name, Process.objects.get().name) == (
            "0815",
            "no",
            "12:30:45",
        )
    assert apply(_exported()) == "Nothing to change.\n"
