"""Users who write to each other."""

from collections.abc import Callable
from typing import Any, NamedTuple

from accounts.models import User

from ..conftest import Client

URL = "/api/v1/messages/"


class Person(NamedTuple):
    """A user with a signed-in client."""

    user: User
    client: Client

    @property
    def code(self) -> str:
        return self.user.usercode

    def send(self, body: str, *to: "Person", **options: Any) -> dict[str, Any]:
        """Send to these people, or broadcast if none are given; returns the message."""
        target = {"recipients": [person.code for person in to]} if to else {"broadcast": True}
        answer = self.client.post(URL, {"body": body, **target}, format="json", **options)
        assert answer.status_code == 201, answer.content
        return answer.json()

    def history(self, **query: Any) -> list[dict[str, Any]]:
        answer = self.client.get(URL, query)
        assert answer.status_code == 200, answer.content
        return answer.json()["results"]

    def bodies(self, **query: Any) -> list[str]:
        return [message["body"] for message in self.history(**query)]

    def unread(self) -> int:
        return self.client.get(f"{URL}unread/").json()["total"]

    def heartbeat(self) -> list[str]:
        """Send a heartbeat; returns the usernames of everybody online."""
        answer = self.client.post("/api/v1/presence/")
        assert answer.status_code == 200, answer.content
        return [each["username"] for each in answer.json()["online"]]


NewPerson = Callable[[str], Person]  # the fixture ``person``
