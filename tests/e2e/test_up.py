"""From nothing to a running product: all five domains with real files, then ``kill -9`` of everything."""

from ..places import ROOT
from ..waiting import wait_until
from .product import Product

DATA = ROOT / "tests" / "data"
ANN = {"email": "ann@example.org", "username": "ann1", "password": "a long and winding road"}


def register_and_sign_in(product: Product) -> None:
    product.request("POST", "auth/register/", json=ANN, status=201)
    product.request("POST", "auth/login/", json={"email": ANN["email"], "password": ANN["password"]}, status=403)
    token = product.link_in_mail_to(ANN["email"], "v")
    product.request("POST", "auth/verify-email/", json={"token": token}, status=200)
    tokens = product.request("POST", "auth/login/", json={k: ANN[k] for k in ("email", "password")}, status=200).json()
    product.access = tokens["access"]
    renewed = product.request("POST", "auth/token/refresh/", json={"refresh": tokens["refresh"]}, status=200).json()
    product.request("POST", "auth/logout/", json={"refresh": renewed["refresh"]}, status=204)
    product.request("GET", "auth/profile/", status=401)
    sign_in(product)


def sign_in(product: Product) -> None:
    product.access = ""
    answer = product.request("POST", "auth/login/", json={k: ANN[k] for k in ("username", "password")}, status=200)
    product.access = answer.json()["access"]


def everything_is_there(product: Product) -> None:
    """Check the data that the five paths below have created."""
    assert [note["title"] for note in product.request("GET", "notes/", status=200).json()["results"]] == ["kept"]
    messages = product.request("GET", "messages/", status=200).json()["results"]
    assert [message["body"] for message in messages] == ["to myself"]
    assert count(product, "contacts/") == 1000
    assert product.request("GET", "trends/", status=200).json()["count"] == 72


def count(product: Product, path: str) -> int:
    """Count the results of a feed, page by page."""
    total, url = 0, f"{path}?page_size=200"
    while url:
        page = product.request("GET", url, status=200).json()
        total += len(page["results"])
        url = page["next"].partition("/api/v1/")[2] if page["next"] else ""
    return total


def test_a_new_user_walks_through_all_five_domains_and_nothing_is_lost_when_everything_is_killed(
    product: Product,
) -> None:
    product.start()
    register_and_sign_in(product)

    note = product.request("POST", "notes/", json={"title": "kept", "body": "for later"}, status=201).json()
    product.request("PATCH", f"notes/{note['id']}/", json={"body": "forever"}, status=200)
    gone = product.request("POST", "notes/", json={"title": "gone"}, status=201).json()
    product.request("DELETE", f"notes/{gone['id']}/", status=204)
    product.request("GET", f"notes/{gone['id']}/", status=404)

    me = product.request("GET", "auth/profile/", status=200).json()["usercode"]
    product.request("POST", "messages/", json={"body": "to myself", "recipients": [me]}, status=201)
    online = product.request("POST", "presence/", json={}, status=200).json()["online"]
    assert [person["usercode"] for person in online] == [me]

    with (DATA / "contacts_1000.xlsx").open("rb") as sheet:
        upload = product.request("POST", "contacts/uploads/", files={"file": sheet}, status=202).json()

    def uploaded() -> dict | None:
        seen = product.request("GET", f"contacts/uploads/{upload['id']}/", status=200).json()
        return seen if seen["status"] == "completed" else None

    result = wait_until(uploaded, what="a completed upload")
    assert (result["accepted"], result["deferred"], result["rejected"]) == (990, 10, 0)
    wait_until(lambda: count(product, "contacts/") == 1000, what="all 1,000 contacts")
    assert count(product, "contacts/unprocessed/") == 0

    inbox = product.home / "trends" / "inbox"
    wait_until(inbox.is_dir, what="the watched folder")
    content = (DATA / "trends_sample.csv").read_bytes()
    (inbox / "trends_sample.csv").write_bytes(content)
    wait_until(lambda: product.request("GET", "trends/", status=200).json()["count"] == 72, timeout=60)
    wait_until(lambda: not [path for path in inbox.iterdir() if path.is_file()], what="an empty inbox")
    backups = [path for path in (product.home / "trends" / "backup").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in backups] == [content]

    everything_is_there(product)
    product.kill()
    product.start()
    everything_is_there(product)
    sign_in(product)
    everything_is_there(product)
    product.stop()
