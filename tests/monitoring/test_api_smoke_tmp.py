from tests.cast import Member
from tests import rows

def test_smoke(owner: Member, stranger: Member, settings) -> None:
    settings.ROOT_URLCONF = "apiurls"
    with owner.scope():
        p = rows.make_process(owner=owner.user)
        w = rows.make_workflow(p)
        run = rows.make_run(w, key="order:4711")
        al = rows.make_alert(w)
        d = rows.make_dead_letter(w, fingerprint=al.fingerprint)
        e = rows.make_event(w)
    for path in ("runs/", f"runs/{run.pk}/", f"alerts/{al.pk}/", "dead-letters/", "events/", f"events/{e.pk}/", "tenants/","members/","sites/", "ingest-keys/", "api-tokens/", f"runs/{run.pk}/spans/","runs/?key=order:4711","runs/?key=4711&status=ok&since=2026-01-01T00:00:00Z", "runs/?since=yesterday", "runs/?nope=1", "runs/999/"):
        a = owner.get(path)
        print(path, a.status_code, a.content[:600])
    print(owner.post(f"dead-letters/{d.pk}/discard/", {"reason": "no"}).content)
    print(owner.get(f"alerts/{al.pk}/").content)
    print(owner.post(f"dead-letters/{d.pk}/discard/", {"reason": "no"}).content)
    print(owner.post(f"alerts/{al.pk}/acknowledge/", {}).content)
    print(owner.post(f"members/", {"email":"x@y.example","role":"supplier"}).content)
    print(owner.post(f"members/", {"email":"x@y.example","role":"partner_admin"}).content)
    print(owner.post(f"ingest-keys/", {"label":"l"}).content)
    print(stranger.get(f"alerts/{al.pk}/").content)
    print(stranger.get(f"alerts/99999/").content)
    assert 0
