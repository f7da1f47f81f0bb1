"""People who write to each other."""

from typing import Any, NamedTuple

from accounts.models import User

from ..conftest import Client

URL = "/api/v1/messages/"


class Person(NamedTuple):
    """Somebody with a client that is signed in as them."""

    user: User
    client: Client

    @property
    def code(self) -> str:
        return self.user.usercode

    def send(self, body: str, *to: "Person", **options: Any) -> dict[str, Any]:
        """Send to these people, or broadcast to whoever is online when nobody is named; returns the message."""
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

    def beat(self) -> list[str]:
        """A heartbeat; returns the usernames that are online."""
        answer = self.client.post("/api/v1/presence/")
        assert answer.status_code == 200, answer.content
        return [each["username"] for each in answer.json()["online"]]
