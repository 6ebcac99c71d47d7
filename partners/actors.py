"""Actors as people know them: `user:7` is a person, `token:<prefix>` a service, `system:<part>` Andon itself."""

from __future__ import annotations

from collections.abc import Iterable

from partners.models import User


def actor_names(actors: Iterable[str]) -> dict[str, str]:
    """Return a name for each actor; one query however many there are."""
    wanted = set(actors)
    ids = {int(actor[5:]) for actor in wanted if actor.startswith("user:") and actor[5:].isdigit()}
    people = {f"user:{user.pk}": str(user) for user in User.objects.filter(pk__in=ids)}
    return {actor: people.get(actor) or _unnamed(actor) for actor in wanted}


def actor_name(actor: str) -> str:
    """Return the name of one actor."""
    return actor_names([actor])[actor]


def _unnamed(actor: str) -> str:
    kind, _, rest = actor.partition(":")
    match kind:
        case "token":
            return f"service token {rest}"
        case "system":
            return f"Andon {rest}"
        case "user":
            return "a person who is gone"
    return actor
