"""A read with a personal access token next to the same read with an access token (JWT), by processor time.

An access token needs a signature check, a personal token a hash; each then needs one query.
"""

import statistics

from .harness import Bench, new_user

CALLS = 200  # of one turn


def run(bench: Bench) -> None:
    from accounts import personal_tokens, tokens
    from accounts.models import PersonalToken

    user = new_user("tokens")
    _, access, _ = tokens.start_session(user=user)
    raw = personal_tokens.new_token()
    PersonalToken.objects.create(
        user=user,
        name="benchmark",
        scopes=["account:read", "notes:read"],
        prefix=raw[: personal_tokens.SHOWN_LENGTH],
        token_hash=personal_tokens.hash_token(raw),
    )
    rounds = 5 if bench.quick else 25
    rows = []
    with bench.serve() as server:
        for path in ("/api/v1/auth/profile/", "/api/v1/notes/"):
            get = {
                name: server.get(path, {"Authorization": f"Bearer {credential}"})
                for name, credential in (("JWT", access), ("token", raw))
            }
            for call in get.values():
                for _ in range(50):
                    call()
            spent: dict[str, list[float]] = {name: [] for name in get}
            for turn in range(rounds):
                for name in list(get) if turn % 2 else list(reversed(get)):
                    before = server.cpu_seconds()
                    for _ in range(CALLS):
                        get[name]()
                    spent[name].append((server.cpu_seconds() - before) / CALLS)
            ratios = sorted(mine / other for mine, other in zip(spent["token"], spent["JWT"], strict=True))
            quartiles = statistics.quantiles(ratios, n=4)
            times = [f"{sum(spent[name]) / rounds * 1e6:.0f}" for name in ("JWT", "token")]
            total = sum(spent["token"]) / sum(spent["JWT"])
            rows.append((f"GET {path}", *times, f"{total:.3f}", f"{quartiles[0]:.2f}-{quartiles[2]:.2f}"))
    bench.table(
        f"Processor time of the server, microseconds per request   ({rounds} rounds of {CALLS} calls)",
        ("", "JWT", "personal token", "token / JWT", "middle half"),
        rows,
    )
