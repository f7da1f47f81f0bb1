from ..conftest import Client
from .people import Person


def test_a_user_is_found_by_usercode(ada: Person, bob: Person, api: Client) -> None:
    path = f"/api/v1/people/{bob.code}/"
    assert ada.client.get(path).json() == {"usercode": bob.code, "username": "bob", "image": None}
    assert ada.client.get(f"/api/v1/people/{bob.code.lower()}/").status_code == 200
    assert ada.client.get("/api/v1/people/ZZZZZZ/").status_code == 404
    assert api.get(path).status_code == 401


def test_a_picture_requires_authentication(ada: Person, bob: Person, api: Client) -> None:
    path = f"/api/v1/people/{bob.code}/picture/"
    assert ada.client.get(path).status_code == 404
    bob.user.profile.image.name = "pictures/one.png"
    bob.user.profile.save()
    response = ada.client.get(path, headers={"Accept": "image/*"})
    assert response.status_code == 302
    assert "/files/" in response["Location"]
    assert api.get(path).status_code == 401
