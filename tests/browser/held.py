"""Requests and answers that a test holds back, to choose the order in which they arrive."""

from collections.abc import Callable

from playwright.sync_api import APIResponse, Page, Route

from tests.waiting import wait_until


def hold(page: Page, pattern: str) -> Callable[[], None]:
    """Hold requests back, and return how to let them go; waits for the first one."""
    held: list[Route] = []
    page.route(pattern, lambda route: held.append(route))

    def release() -> None:
        wait_until(lambda: page.evaluate("true") and held, what=f"a request for {pattern}")
        for route in held:
            route.continue_()
        page.unroute(pattern)

    return release


class OldAnswer:
    """Holds the answer to the next request that fits a pattern. Later requests are answered at once."""

    def __init__(self, page: Page, pattern: str) -> None:
        self.page = page
        self.held: list[tuple[Route, APIResponse]] = []
        page.route(pattern, self._hold)

    def _hold(self, route: Route) -> None:
        if self.held:
            route.continue_()
        else:
            self.held.append((route, route.fetch()))

    def wait(self) -> None:
        """Wait until the server has sent the answer."""
        wait_until(lambda: self.page.evaluate("true") and self.held, what="the answer that is held")

    def arrive(self) -> None:
        """Let the page handle what it has asked for since, and then the old answer."""
        handled(self.page)
        route, answer = self.held[0]
        route.fulfill(response=answer)
        handled(self.page)


def handled(page: Page) -> None:
    """Wait until the page has had time for the answers that were under way."""
    for _ in range(3):
        page.evaluate("fetch('/healthz/').then((response) => response.text())")
