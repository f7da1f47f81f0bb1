"""What people do on the chat page, and where they look."""

import re
from pathlib import Path

from messaging import services
from tests.conftest import ROOT

PICTURES = Path(ROOT) / "reports" / "browser"


def picture(page, name):
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"messager-{name}.png")


def online(page, name):
    return page.get_by_role("region", name=re.compile("Online now")).get_by_role("button", name=name)


def conversation(page, name):
    return page.get_by_role("list", name="Conversations").get_by_role("button", name=re.compile(rf"^{name}\b"))


def write(page, text):
    page.get_by_label(re.compile("^Your message to")).fill(text)
    page.keyboard.press("Enter")


def log(page):
    return page.get_by_role("log")


def texts(page):
    return log(page).locator(".text").all_inner_texts()


def say(sender, to, *bodies):
    return [services.send_message(sender=sender, body=body, usercodes=[to.usercode])[0] for body in bodies]


def choose(page, name):
    page.get_by_role("dialog").get_by_role("checkbox", name=name).check()


def held(page, address):
    """The requests to ``address`` from now on, each with the server's answer, which the page has yet to get."""
    requests = []
    page.route(address, lambda route: requests.append((route, route.fetch())))
    return requests
