"""A value that is none of the choices is answered with the choices."""

from typing import Any

import pytest

from accounts.models import User


@pytest.mark.parametrize(
    "call, field, detail",
    [
        ("notes/?state=gone", "state", "“gone” is none of active, archived, trashed, all."),
        ("notes/?pinned=perhaps", "pinned", "“perhaps” is none of true, false."),
        ("trends/?steepl=T,Q", "steepl", "“Q” is none of S, T, E, P, L."),
        ("trends/?technology_readiness_level=%25s", "technology_readiness_level",
         "“%s” is none of none, Pilot, Development, Deploy."),
        ("trends/imports/?origin=moon", "origin", "“moon” is none of inbox, upload, admin."),
        ("messages/?box=attic", "box", "“attic” is none of inbox, sent."),
    ],
)  # fmt: skip
def test_a_filter_names_its_choices(api: Any, staff: User, call: str, field: str, detail: str) -> None:
    answer = api.as_user(staff).get(f"/api/v1/{call}")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"code": "invalid_choice", "detail": detail, "attr": field}]


def test_a_body_s_field_names_its_choices(api: Any, staff: User) -> None:
    trend = {"megatrend": "a", "macrotrend": "b", "steepl": "t", "impact_strength": "High"}
    answer = api.as_user(staff).post("/api/v1/trends/", trend)
    assert answer.json()["errors"] == [
        {"code": "invalid_choice", "detail": "“t” is none of S, T, E, P, L.", "attr": "steepl"}
    ]
